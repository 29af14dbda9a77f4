# The two commands are `make demo` and `make test`. All of them install what they need.

.PHONY: help demo test check e2e conformance rig rig-shell soak bench bench-house bench-rig coverage

rig_path := PATH="$${XDG_CACHE_HOME:-$$HOME/.cache}/musebox/bin:$$PATH"

help:
	@echo "make demo              play the sample, steered by a house with its page, until Ctrl-C: on the screen of a text console, else on a virtual display"
	@echo "make demo SECONDS=20   the same, for 20 seconds"
	@echo "make test              every check and test"
	@echo "make check             the quick ones"
	@echo "make e2e               the page, the house server and a box together, and how quickly a box obeys"
	@echo "make conformance       the WebSockets and the interface under test suites that others have written"
	@echo "make rig               the tests in a virtual machine with a real kernel and real display drivers"
	@echo "make rig-shell         a prompt in such a machine, with the picture as a file"
	@echo "make soak              the same tests for much longer"
	@echo "make bench             side by side with other players"
	@echo "make bench-house       thousands of boxes on one house server"
	@echo "make bench-rig         the same on a real kernel's display, judged by the kernel"
	@echo "make coverage          which lines the tests run"

# The dev profile is optimised enough to play (see Cargo.toml), and the tests use it, too.
demo:
	@tests/setup demo
	@cargo build --bins --example demo-house
	@tests/demo $(SECONDS)

test:
	@tests/suite

check:
	@cargo fmt --check
	@cargo clippy --all-targets -- -D warnings
	@cargo test --lib --bins --test layering --test docs --test sequencer --test playlist_file --test config_doc \
		--test status_schema

e2e:
	@tests/setup e2e
	@FLIPS=$${FLIPS:-100} tests/e2e/run tests/e2e/house.test.mjs

conformance:
	@tests/setup conformance
	@tests/conformance/run

rig:
	@tests/setup rig
	@cargo build --example demo-house
	@$(rig_path) cargo test --test rig -- --test-threads=2

rig-shell:
	@tests/setup rig
	@cargo build --bins --example demo-house
	@$(rig_path) cargo run --quiet --example rig-shell

soak:
	@tests/setup rig
	@cargo build --example demo-house
	@$(rig_path) MUSEBOX_SOAK=1 cargo test --test rig -- --test-threads=2 --nocapture timing:: power::

bench:
	@tests/setup bench
	@benches/run

bench-house:
	@tests/setup demo
	@cargo build --bins --example bench-house
	@$${CARGO_TARGET_DIR:-target}/debug/examples/bench-house
	@$${CARGO_TARGET_DIR:-target}/debug/examples/bench-house --tls

bench-rig:
	@tests/setup rig
	@cargo build --bins --example demo-house
	@$(rig_path) cargo run --quiet --example bench-rig

coverage:
	@tests/setup coverage
	@tests/coverage
