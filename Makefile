CARGO_DENY = 0.20.2
DENY_ROOT = target/tools/cargo-deny-$(CARGO_DENY)
DENY = $(DENY_ROOT)/bin/cargo-deny

.PHONY: help demo test check deny bench growth cluster-binary

help:
	@echo "make demo    install what is missing, build, and rehearse on a software token"
	@echo "make test    run every test"
	@echo "make check   every check: format, lints, docs, tests, dependencies"
	@echo "make cluster-binary  the cluster's side alone, one static file without SQLite and PKCS#11"
	@echo "make bench   time whole commands, the token alone and other tools, five rounds"
	@echo "make growth  time per certificate in batches of 1,000 to SIZE (100000)"

demo:
	scripts/install-debian.sh demo
	cargo build --profile demo --locked
	target/demo/keyrite rehearse

test:
	scripts/install-debian.sh test
	cargo test --locked --no-fail-fast

check:
	scripts/install-debian.sh test
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features --target-dir target/cluster -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet
	cargo test --locked --no-fail-fast
	$(MAKE) deny

# Static, for nodes of any distribution. --target keeps crt-static away from procedural macros, which cannot be static.
TARGET = $(shell rustc -vV | sed -n 's/^host: //p')

cluster-binary:
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --no-default-features \
	  --target $(TARGET) --target-dir target/cluster
	@echo target/cluster/$(TARGET)/release/keyrite

ROUNDS = 5
SIZE = 100000

bench:
	scripts/install-debian.sh bench
	cargo bench --locked --bench parts
	cargo bench --locked --bench whole -- $(ROUNDS)

growth:
	scripts/install-debian.sh test
	cargo bench --locked --bench whole -- growth 1000 10000 $(SIZE)

$(DENY):
	cargo install --locked --quiet --root $(DENY_ROOT) --version $(CARGO_DENY) cargo-deny

# Advisories are checked only if their database can be fetched.
deny: $(DENY)
	$(DENY) --log-level error check licenses bans sources
	@if $(DENY) fetch db >/dev/null 2>&1; then $(DENY) --log-level error --offline check advisories; \
	else echo "advisories: cannot fetch the database, not checked"; fi
