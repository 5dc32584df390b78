# What is installed from the user port: libraries, headers, what find_package and pkg-config look for. `uninstall`, too.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The headers include each other as <ka/x.h>; the hot half of the port and what it needs of base/ lie beside them.
set(headers ${CMAKE_INSTALL_INCLUDEDIR}/kernel-alloc)
foreach(library ka ka_shared)
    add_library(kernel_alloc::${library} ALIAS ${library})
    target_include_directories(${library} PUBLIC $<INSTALL_INTERFACE:${headers}>)
    foreach(folder include bindings/cpp src src/base/${KA_INTRINSICS} ports/user)
        target_include_directories(${library} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/${folder}>)
    endforeach()
endforeach()
if(NOT PROJECT_IS_TOP_LEVEL OR KA_SANITIZE)
    return()
endif()

install(TARGETS ka ka_shared ka_malloc EXPORT kernel_alloc)
install(DIRECTORY include/ bindings/cpp/ DESTINATION ${headers})
install(DIRECTORY src/base/ DESTINATION ${headers}/base FILES_MATCHING PATTERN "*.h" PATTERN gnu EXCLUDE
    PATTERN msvc EXCLUDE)
install(FILES ports/user/ka_port.h src/base/${KA_INTRINSICS}/ka_intrinsics.h DESTINATION ${headers})

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/kernel_alloc)
install(EXPORT kernel_alloc NAMESPACE kernel_alloc:: FILE kernel_alloc-targets.cmake DESTINATION ${package})
configure_package_config_file(cmake/config.cmake.in kernel_alloc-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(kernel_alloc-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kernel_alloc-config.cmake ${PROJECT_BINARY_DIR}/kernel_alloc-config-version.cmake
    DESTINATION ${package})

configure_file(cmake/kernel-alloc.pc.in kernel-alloc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/kernel-alloc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# gdb loads it with the library of this name.
install(FILES bindings/gdb/kernel_alloc.py DESTINATION
    ${CMAKE_INSTALL_DATADIR}/gdb/auto-load/${CMAKE_INSTALL_FULL_LIBDIR}
    RENAME libka.so.${PROJECT_VERSION}-gdb.py)

add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake
    WORKING_DIRECTORY ${PROJECT_BINARY_DIR} VERBATIM)
