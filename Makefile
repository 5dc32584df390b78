# The two commands, and a few more. Everything else is CMake: see CMakePresets.json.
TRACE ?= tests/data/lua.trace.xz

.PHONY: help demo check check-mutations coverage bench clean

help:
	@echo 'make demo          install what is missing, build the kernel, boot it in QEMU: the heap at work, a real trace, a hypervisor'
	@echo 'make demo TRACE=F  the same with another trace (format: tools/trace/trace.h)'
	@echo 'make check         install what is missing, build everything, run all tests; the last line counts them'
	@echo 'make coverage      what the tests of owners and collections leave unreached, by gcov: lines and branches'
	@echo 'make check-mutations   breaks the library in one place after the other and expects a test to fail: minutes'
	@echo 'make check-linux-newer  the Linux module in newer kernels of Debian and those with PREEMPT_RT'
	@echo 'make check-linux-debug  the Linux module in a kernel built with KASAN, kmemleak, lockdep and more; slow'
	@echo 'make bench         install what is missing, measure; writes build/bench/'
	@echo 'make clean         remove build/'

demo:
	@tools/setup.sh demo
	@tools/build.sh bare-x86_64
	@tools/demo.sh build/bare-x86_64/demo.elf $(TRACE)
	@tools/qemu.sh build/bare-x86_64/hypervisor.elf 64 ""; test $$? -eq 33

check:
	@tools/setup.sh check
	@tools/check.sh

check-mutations:
	@tools/setup.sh check
	@tools/mutations

coverage:
	@tools/setup.sh coverage
	@tools/build.sh coverage
	@tools/coverage --all build/coverage

check-linux-newer:
	@tools/setup.sh linux
	@tools/check-linux.sh newer

check-linux-debug:
	@tools/setup.sh linux
	@tools/check-linux.sh debug

bench:
	@tools/setup.sh bench
	@tools/bench.sh

clean:
	rm -rf build
