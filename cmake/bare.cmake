# The bare-metal port: two kernels, the demo and the one that tests itself.
set(flags_x86_64 -mno-red-zone -mgeneral-regs-only -fcf-protection=none)
set(flags_aarch64 -mgeneral-regs-only -mno-outline-atomics -mstrict-align)
set(flags_riscv64 -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany)
target_compile_options(ka_flags INTERFACE -ffreestanding -fno-stack-protector -fno-pic -fno-asynchronous-unwind-tables
    ${flags_${KA_ARCH}})

ka_sources(port ports/bare/*.c ports/arch/${KA_ARCH}/*.c ports/arch/${KA_ARCH}/*.S)
if(NOT KA_ARCH STREQUAL "x86_64")
    ka_sources(virt ports/arch/virt/*.c)
    list(APPEND port ${virt})
endif()
set(script ${PROJECT_SOURCE_DIR}/ports/arch/${KA_ARCH}/link.ld)

function(ka_kernel name)
    ka_sources(sources ${ARGN})
    add_executable(${name}.elf ${sources} ${port} $<TARGET_OBJECTS:ka_portless> $<TARGET_OBJECTS:ka_ported>)
    target_include_directories(${name}.elf PRIVATE ports/bare ports/arch/${KA_ARCH} tests tests/kit)
    target_link_libraries(${name}.elf PRIVATE ka_flags)
    target_link_options(${name}.elf PRIVATE -nostdlib -static -no-pie -Wl,-T,${script} -Wl,--build-id=none
        -Wl,-z,max-page-size=4096)
    set_target_properties(${name}.elf PROPERTIES LINK_DEPENDS ${script})
    add_custom_command(TARGET ${name}.elf POST_BUILD VERBATIM # where gdb looks for it
        COMMAND ${CMAKE_COMMAND} -E create_symlink ${PROJECT_SOURCE_DIR}/bindings/gdb/kernel_alloc.py ${name}.elf-gdb.py)
endfunction()

ka_kernel(demo examples/kernel/*.c tools/trace/*.c)
# Its strings are also formatted by stb_sprintf (Debian: libstb-dev), a header that needs nothing of the host.
find_path(KA_STB stb_sprintf.h PATHS /usr/include/stb NO_DEFAULT_PATH)
if(KA_STB)
    set(printf tests/kernel/printf/stb.c)
    set_source_files_properties(${printf} PROPERTIES COMPILE_OPTIONS -Wno-keyword-macro)
else()
    set(printf tests/kernel/printf/none.c)
endif()
ka_kernel(check tests/kernel/*.c ${printf} tests/kit/kit.c tests/suite/suite.c tests/suite/*_suite.c)
if(KA_STB)
    target_include_directories(check.elf SYSTEM PRIVATE ${KA_STB})
endif()

set(KA_BOOTS 2 CACHE STRING "how often the tests boot on each number of CPUs")

set(run ${PROJECT_SOURCE_DIR}/tools/run-kernel.sh ${PROJECT_BINARY_DIR}/check.elf)
ka_test(kernel/suites env CPUS=2 SECONDS_MAX=300 ${run} heap_max=4M)

# Time counts instructions and CPUs take turns: the same run each time, on any machine. Then all CPUs at once, in
# translated blocks of one instruction, so that an interrupt can come between any two.
function(ka_stress name cpus steps options)
    ka_test(kernel/stress-${name} env CPUS=${cpus} SECONDS_MAX=600 QEMU_OPTIONS=${options} ${run}
        suite=stress steps=${steps})
    set(KA_TESTS "${KA_TESTS}" PARENT_SCOPE)
endfunction()
if(KA_ARCH STREQUAL "x86_64")
    ka_stress(4 4 1M "-icount shift=0")
    ka_stress(16 16 250K "-icount shift=0")
    ka_stress(4-at-once 4 20K -singlestep)
    foreach(cpus 1 2 4 16) # one test each: many boots take long on a slow machine
        ka_test(kernel/boots-${cpus} env CPUS=${cpus} ${PROJECT_SOURCE_DIR}/tools/boots.sh
            ${PROJECT_BINARY_DIR}/check.elf ${KA_BOOTS})
    endforeach()
    ka_test(kernel/nodes ${PROJECT_SOURCE_DIR}/tests/kernel/nodes_test.sh ${PROJECT_BINARY_DIR}/check.elf)
    ka_test(kernel/crash ${PROJECT_SOURCE_DIR}/tests/kernel/crash_test.sh ${PROJECT_BINARY_DIR}/check.elf)
    ka_test(kernel/demo ${PROJECT_SOURCE_DIR}/tests/kernel/demo_test.sh ${PROJECT_BINARY_DIR}/demo.elf)
else()
    if(KA_ARCH STREQUAL "aarch64") # a CPU of riscv64 that waits does not let the emulator go on to the next
        ka_stress(2 2 500K "-icount shift=0")
    endif()
    ka_stress(2-at-once 2 50K -singlestep)
    ka_test(kernel/boots env "CPUS=1 2" ${PROJECT_SOURCE_DIR}/tools/boots.sh ${PROJECT_BINARY_DIR}/check.elf ${KA_BOOTS})
endif()

# The hypervisor: AMD's SVM.
if(KA_ARCH STREQUAL "x86_64")
    ka_kernel(hypervisor examples/hypervisor/*.c examples/hypervisor/*.S)
    ka_sources(parts examples/hypervisor/*.c examples/hypervisor/*.S)
    list(FILTER parts EXCLUDE REGEX "main\\.c$")
    ka_kernel(hypervisor_check ${parts} tests/hypervisor/*.c tests/kit/kit.c)
    ka_test(kernel/hypervisor env SECONDS_MAX=300 ${PROJECT_SOURCE_DIR}/tools/run-kernel.sh
        ${PROJECT_BINARY_DIR}/hypervisor_check.elf)
    ka_test(kernel/hypervisor-demo ${PROJECT_SOURCE_DIR}/tests/hypervisor/demo_test.sh
        ${PROJECT_BINARY_DIR}/hypervisor.elf)
    ka_test(kernel/gdb ${PROJECT_SOURCE_DIR}/tests/kernel/gdb_test.sh ${PROJECT_BINARY_DIR}/demo.elf
        ${PROJECT_BINARY_DIR}/hypervisor.elf)
endif()

# The program of docs/bare.md.
file(READ docs/bare.md document)
string(REGEX MATCH "```c\n([^`]*)```" document "${document}")
file(CONFIGURE OUTPUT document.c CONTENT "${CMAKE_MATCH_1}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS docs/bare.md)
ka_kernel(document)
target_sources(document.elf PRIVATE ${PROJECT_BINARY_DIR}/document.c)
ka_test(kernel/document env KERNEL=${PROJECT_BINARY_DIR}/document.elf ${PROJECT_SOURCE_DIR}/tests/kernel/document_test.sh)

# A kernel in Rust on the same port.
if(KA_RUST)
    file(GLOB crate CONFIGURE_DEPENDS bindings/rust/src/*.rs bindings/rust/kernel/*.rs docs/rust.md)
    set(rust ${PROJECT_BINARY_DIR}/rust/librust_kernel.a)
    add_custom_command(OUTPUT ${rust} DEPENDS ${crate} tools/rust-kernel.sh
        COMMAND ${PROJECT_SOURCE_DIR}/tools/rust-kernel.sh ${PROJECT_BINARY_DIR}/rust VERBATIM)
    add_custom_target(rust_kernel DEPENDS ${rust})
    ka_kernel(rust)
    add_dependencies(rust.elf rust_kernel)
    target_link_libraries(rust.elf PRIVATE ${rust})
    set_property(TARGET rust.elf APPEND PROPERTY LINK_DEPENDS ${rust})
    ka_test(kernel/rust ${PROJECT_SOURCE_DIR}/tools/run-kernel.sh ${PROJECT_BINARY_DIR}/rust.elf)
endif()
file(WRITE ${PROJECT_BINARY_DIR}/tests.list "${KA_TESTS}")
