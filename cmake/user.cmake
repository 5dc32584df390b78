# The user port: libka.a and libka.so, and every host test.
find_package(Threads REQUIRED)

if(KA_SANITIZE STREQUAL "address")
    set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(KA_SANITIZE STREQUAL "thread")
    set(sanitize -fsanitize=thread)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        list(APPEND sanitize -Wno-tsan) # fences are not understood, which gcc reports as a warning
    endif()
endif()
target_compile_options(ka_flags INTERFACE ${sanitize} -fPIC)
target_link_options(ka_flags INTERFACE ${sanitize})

ka_sources(port ports/user/*.c)
list(FILTER port EXCLUDE REGEX "malloc")
add_library(ka_port OBJECT ${port})
target_include_directories(ka_port PRIVATE ports/user)
target_compile_definitions(ka_port PRIVATE _GNU_SOURCE)
target_link_libraries(ka_port PRIVATE ka_flags Threads::Threads)

set(objects $<TARGET_OBJECTS:ka_portless> $<TARGET_OBJECTS:ka_ported> $<TARGET_OBJECTS:ka_port>)
add_library(ka STATIC ${objects})
add_library(ka_shared SHARED ${objects})
set_target_properties(ka_shared PROPERTIES OUTPUT_NAME ka VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}) # until 1.0 each minor version may change the interface
target_link_libraries(ka_shared PRIVATE $<BUILD_INTERFACE:ka_flags>)
foreach(library ka ka_shared)
    target_link_libraries(${library} PUBLIC Threads::Threads)
endforeach()

# The C library's names, for LD_PRELOAD. Sanitizers bring their own malloc. What malloc does not need is left out, and
# the library's own names stay inside: every program pays for the pages of it, and may have a libka of its own.
if(NOT KA_SANITIZE)
    add_library(ka_malloc SHARED ports/user/malloc.c)
    target_link_options(ka_malloc PRIVATE -Wl,--exclude-libs,ALL)
    set_target_properties(ka_malloc PROPERTIES OUTPUT_NAME ka-malloc C_VISIBILITY_PRESET hidden)
    target_include_directories(ka_malloc PRIVATE ports/user)
    target_compile_definitions(ka_malloc PRIVATE _GNU_SOURCE)
    target_compile_options(ka_malloc PRIVATE -fno-builtin-malloc -ftls-model=initial-exec)
    target_link_libraries(ka_malloc PRIVATE ka ka_flags Threads::Threads dl)
endif()

include(cmake/install.cmake)
if(NOT KA_BUILD_TESTS)
    return()
endif()

# ---- tests: each *_test.c is a program that prints TAP; each *_test.sh likewise, run once (by the preset `host`) ----

ka_sources(kit tests/kit/*.c tests/suite/suite.c tests/suite/*_suite.c tools/trace/*.c)
if(KA_COVERAGE)
    list(APPEND kit tests/coverage/dump.c)
    # These run in several threads, which must not lose each other's counts. All programs so would take five times as long.
    set_source_files_properties(src/owner/arc.c tests/owner/arc_test.c PROPERTIES COMPILE_OPTIONS -fprofile-update=atomic)
endif()
add_library(kit OBJECT ${kit})
target_include_directories(kit PUBLIC tests tests/kit ports/user)
target_compile_definitions(kit PUBLIC _GNU_SOURCE)
target_link_libraries(kit PUBLIC ka_flags ka Threads::Threads m)

ka_sources(tests tests/*/*_test.c)
list(FILTER tests EXCLUDE REGEX "^tests/windows/") # another port's: the preset windows-shim-asan
if(KA_COVERAGE)
    list(FILTER tests INCLUDE REGEX "^tests/(owner|collection|suite)/")
endif()
foreach(source ${tests})
    file(STRINGS ${source} threads REGEX "pthread_create|noise_run")
    if(KA_SANITIZE STREQUAL "thread" AND NOT threads)
        continue() # nothing to race
    endif()
    get_filename_component(name ${source} NAME_WE)
    get_filename_component(folder ${source} DIRECTORY)
    get_filename_component(folder ${folder} NAME)
    set(target ${folder}_${name})
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE kit)
    ka_test(${folder}/${name} ${PROJECT_BINARY_DIR}/${target})
endforeach()
if(KA_COVERAGE) # one test, which runs these programs
    file(WRITE ${PROJECT_BINARY_DIR}/programs.list "${KA_TESTS}")
    set(KA_TESTS "")
    ka_test(coverage ${PROJECT_SOURCE_DIR}/tools/coverage ${PROJECT_BINARY_DIR})
endif()

# Fuzz targets, each run for a while: libFuzzer comes with clang.
if(KA_SANITIZE STREQUAL "address" AND CMAKE_C_COMPILER_ID STREQUAL "Clang")
    ka_sources(targets tests/*/*_fuzz.c)
    foreach(source ${targets})
        get_filename_component(name ${source} NAME_WE)
        add_executable(${name} ${source} tests/kit/kit.c tests/kit/kit_malloc.c)
        target_include_directories(${name} PRIVATE tests tests/kit ports/user)
        target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
        target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        target_link_libraries(${name} PRIVATE ka_flags ka Threads::Threads)
        set(runs ${KA_FUZZ_RUNS})
        if(name STREQUAL heap_fuzz) # a heap is made and checked for each input: 20 ms
            math(EXPR runs "${runs} / 10")
        endif()
        ka_test(fuzz/${name} ${PROJECT_SOURCE_DIR}/tests/build/fuzz.sh ${PROJECT_BINARY_DIR}/${name} ${runs})
    endforeach()
endif()

if(KA_SHELL_TESTS)
    ka_sources(scripts tests/*/*_test.sh)
    list(FILTER scripts EXCLUDE REGEX "^tests/(kernel|hypervisor|build/freestanding)") # other presets run these
    foreach(script ${scripts})
        string(REGEX REPLACE "^tests/(.*)\\.sh$" "\\1" name ${script})
        ka_test(${name} ${PROJECT_SOURCE_DIR}/${script})
    endforeach()
endif()

file(WRITE ${PROJECT_BINARY_DIR}/tests.list "${KA_TESTS}")
