# demo: see it work · test: every test · check: the whole gate

CARGO_DENY = 0.20.2
DENY_ROOT = target/tools/cargo-deny-$(CARGO_DENY)
DENY = $(DENY_ROOT)/bin/cargo-deny

.PHONY: help demo test check deny

help:
	@echo "make demo    install what is missing, build, and rehearse on a software token"
	@echo "make test    run every test"
	@echo "make check   the whole gate: format, lints, docs, tests, dependencies"

demo:
	scripts/install-debian.sh demo
	cargo build --release --locked
	target/release/keyrite rehearse

test:
	scripts/install-debian.sh test
	cargo test --locked

check:
	scripts/install-debian.sh test
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet
	cargo test --locked
	$(MAKE) deny

$(DENY):
	cargo install --locked --quiet --root $(DENY_ROOT) --version $(CARGO_DENY) cargo-deny

# Licences, bans and sources always; advisories where their database can be fetched.
deny: $(DENY)
	$(DENY) --log-level error check licenses bans sources
	@if $(DENY) fetch db >/dev/null 2>&1; then $(DENY) --log-level error --offline check advisories; \
	else echo "advisories: the database cannot be fetched from here, not checked"; fi
