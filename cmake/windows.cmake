# The Windows port: drivers and the programs that control them, cross-built by mingw-w64's gcc or by clang and lld.
set(driver_flags -ffreestanding -fno-builtin -fno-stack-protector -fno-ident)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    # lld; mingw-w64's <ntddk.h> defines two functions that are not inline under clang.
    set(linker -fuse-ld=lld -Wl,--allow-multiple-definition)
else()
    list(APPEND driver_flags -mno-stack-arg-probe)
endif()
target_compile_options(ka_flags INTERFACE ${driver_flags})
set(driver_link -nostdlib -nostartfiles -Wl,--subsystem,native:10.0 -Wl,--dynamicbase -Wl,--nxcompat -Wl,-s
    -Wl,--disable-runtime-pseudo-reloc -Wl,--disable-auto-import -Wl,--no-insert-timestamp -Wl,--entry,DriverEntry)

ka_sources(port ports/windows/*.c)
ka_sources(headers include/*.h include/ka/*.h ports/windows/*.h src/*/*.h src/base/*/*.h)
add_library(ka_port OBJECT ${port})
target_include_directories(ka_port PRIVATE ports/windows)
target_link_libraries(ka_port PRIVATE ka_flags)
add_library(ka STATIC $<TARGET_OBJECTS:ka_portless> $<TARGET_OBJECTS:ka_ported> $<TARGET_OBJECTS:ka_port>)
target_link_libraries(ka INTERFACE ntoskrnl hal)

# ka_driver(NAME SOURCE...): NAME.sys
function(ka_driver name)
    add_executable(${name}.sys ${ARGN})
    target_link_libraries(${name}.sys PRIVATE ntoskrnl hal)
    target_link_options(${name}.sys PRIVATE ${linker} ${driver_link})
endfunction()

# ka_program(NAME SOURCE...): NAME.exe, for user mode
function(ka_program name)
    add_executable(${name}.exe ${ARGN})
    target_compile_options(${name}.exe PRIVATE ${KA_WARNINGS})
    target_include_directories(${name}.exe PRIVATE .)
    target_link_libraries(${name}.exe PRIVATE advapi32)
    target_link_options(${name}.exe PRIVATE -Wl,-s -Wl,--no-insert-timestamp)
endfunction()

ka_sources(tests tests/windows/driver/*.c tests/windows/*_suite.c tests/suite/*_suite.c)
list(REMOVE_ITEM tests tests/windows/driver/control.c)
ka_driver(kernel_alloc_test ${tests} tests/suite/suite.c tests/kit/kit.c)
target_include_directories(kernel_alloc_test.sys PRIVATE ports/windows tests tests/kit)
target_link_libraries(kernel_alloc_test.sys PRIVATE ka_flags ka)

# The example takes the library in as another project would: as two files.
set(pair ${PROJECT_BINARY_DIR}/pair)
add_custom_command(OUTPUT ${pair}/kernel_alloc.c ${pair}/kernel_alloc.h VERBATIM
    COMMAND ${PROJECT_SOURCE_DIR}/tools/amalgamate --port windows ${pair}
    DEPENDS ${portless} ${ported} ${port} ${headers} tools/amalgamate)
set_source_files_properties(${pair}/kernel_alloc.c PROPERTIES COMPILE_OPTIONS -Wno-shadow) # of one source by another
ka_driver(kernel_alloc_demo examples/windows/driver.c ${pair}/kernel_alloc.c)
target_include_directories(kernel_alloc_demo.sys PRIVATE ${pair})
target_include_directories(kernel_alloc_demo.sys SYSTEM PRIVATE ${KA_DDK})
target_compile_options(kernel_alloc_demo.sys PRIVATE ${KA_WARNINGS} ${driver_flags})

ka_driver(hot tests/windows/count/hot.c) # for tests/windows/count/count.c
target_include_directories(hot.sys PRIVATE ports/windows)
target_link_libraries(hot.sys PRIVATE ka_flags ka)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    return() # it does not find mingw-w64's libraries for user mode
endif()
ka_program(control tests/windows/driver/control.c examples/windows/service.c)
ka_program(kernel_alloc_demo examples/windows/control.c examples/windows/service.c)
