# The front door: installs what is missing, builds, and runs the demo or the tests. CMake does the work.
.PHONY: help demo test bench build asan tsan fuzz lint setup clean install

help:
	@echo "make demo     compare six methods on real linked pages, and recommend (about 3 minutes)"
	@echo "make test     run the whole test suite (fetches Arrow, plotly.js and a browser, when it can)"
	@echo "make bench    measure speed and memory, beside PyTorch where it is installed (about 15 minutes;"
	@echo "              FLAGS=--quick for the main settings, FLAGS='--python PATH' for another Python)"
	@echo "make asan     the same under the address and undefined-behaviour sanitizers"
	@echo "make tsan     the same under the thread sanitizer (installs clang and libomp-dev)"
	@echo "make fuzz     search for inputs that break a parser (installs clang; 10 million executions a target"
	@echo "              take hours; FLAGS='--runs 100000 npy' for less; see tests/fuzz/README.md)"
	@echo "make lint     clang-tidy and clang-format, as configured in the tree"
	@echo "make build    build only; the command is build/default/diptych"
	@echo "make install  install to /usr/local (PREFIX=DIR for another place)"
	@echo "make clean    remove build/"

setup:
	@tools/setup.sh

build: setup
	@tools/plotly.sh
	@cmake --preset default >/dev/null
	@cmake --build --preset default --target diptych_command

demo: build
	@examples/demo.sh build/default/diptych data/docs-small/project.yaml build/demo

test: setup
	@tools/arrow.sh
	@tools/plotly.sh
	@tools/browser.sh
	@cmake --preset default >/dev/null
	@cmake --build --preset default
	@ctest --test-dir build/default --output-on-failure -j 2

bench: setup
	@cmake --preset default >/dev/null
	@cmake --build --preset default --target diptych_command bench_step bench_limit \
		bench_rank bench_replay
	@python3 bench/run.py $(FLAGS)

asan: setup
	@cmake --preset asan >/dev/null
	@cmake --build --preset asan
	@ctest --test-dir build/asan --output-on-failure -j 2

tsan:
	@tools/setup.sh clang libomp-dev
	@cmake --preset tsan >/dev/null
	@cmake --build --preset tsan
	@OMP_TOOL_LIBRARIES=$$(ls /usr/lib/llvm-*/lib/libarcher.so | tail -n 1) ctest --preset tsan -j 2

fuzz:
	@tools/setup.sh clang libclang-rt-dev libomp-dev
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz --target fuzz_targets
	@python3 tests/fuzz/run.py $(FLAGS)

lint:
	@tools/setup.sh clang-tidy clang-format
	@cmake --preset default >/dev/null
	@clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')
	@clang-tidy -p build/default --quiet $$(git ls-files 'src/*.c')

install: build
	@cmake --build --preset default
	@cmake --install build/default --prefix $(or $(PREFIX),/usr/local)

clean:
	@rm -rf build
