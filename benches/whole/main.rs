//! Timing of whole commands: keyrite, the limit of the token, and alternatives, interleaved, in
//! fresh folders, on one token. `make bench` runs it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench fails by panicking"
)]

mod corpus;
mod limit;
mod peers;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use support::Lab;
use table::Series;

/// Number of requests of the batch.
const BATCH: usize = 10_000;
/// Number of requests under an RSA-4096 CA, which signs some two hundred per second.
const RSA_BATCH: usize = 2_000;
/// Number of requests for tools that are started once for each.
const FEW: usize = 40;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["limit", root, bundle] => print_limit(root, bundle),
        ["growth", counts @ ..] => growth(counts),
        [] => compare(5),
        [rounds] => compare(rounds.parse().expect("how many rounds")),
        other => panic!("unknown: {other:?}"),
    }
}

/// Measures the limit in a separate process, because the token's configuration is in the
/// environment.
fn print_limit(root: &str, bundle: &str) {
    let raw = limit::Raw::open(Path::new(root), "root-ca");
    let proofs: Vec<limit::Proof> =
        corpus::read(Path::new(bundle)).iter().map(|octets| limit::Proof::of(octets)).collect();
    let checks = limit::check_rate(&proofs, 2);
    table::say(&format!("{} {} {checks}", raw.whole(&proofs, 2), raw.sign_only(&proofs, 2)));
}

/// Rates of the limit: whole, C_Sign alone, signature checks and hashes alone.
fn limit_of(lab: &Lab, bundle: &str) -> [f64; 3] {
    let me = std::env::current_exe().expect("own program");
    let words = ["limit", "root/authorities/root-ca.crt", bundle];
    let out = lab.run(me.to_str().expect("path"), &words).ok().out;
    let rates: Vec<f64> = out.split_whitespace().map(|rate| rate.parse().expect("rate")).collect();
    rates.try_into().expect("three rates")
}

/// A lab with a CA of this key, and the ledger as it was before the first batch.
fn lab(key: &str) -> Lab {
    let lab = Lab::new();
    lab.write("hsm.toml", format!("name = \"bench\"\nmodule = [\"{}\"]\nsessions = 2\n", support::SOFTHSM));
    lab.root(key);
    lab.sign_script(support::WEB);
    lab.run("cp", &["-r", "ledger", "fresh"]).ok();
    lab
}

/// Returns an unused name: writing where thousands of files were just deleted waits for the
/// deletion.
fn fresh(name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{}-{name}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Signs a bundle on a fresh ledger; returns seconds and peak memory in KiB.
fn sign(lab: &Lab, bundle: &str, out: &str) -> (f64, f64) {
    let ledger = fresh("ledger");
    lab.run("cp", &["-r", "fresh", &ledger]).ok();
    let answers = support::repository().join("ceremony/answers-accept.toml");
    timed(
        lab,
        &format!(
            "ceremony run sign.toml --hsm hsm.toml --ledger {ledger} --answers {} --pin-file pin --in {bundle} --out {out}",
            answers.display()
        ),
    )
}

/// Runs keyrite; returns seconds and peak memory in KiB.
fn timed(lab: &Lab, arguments: &str) -> (f64, f64) {
    let measure = "import resource as r,subprocess as s,sys,time
t=time.monotonic();p=s.run(sys.argv[1:],stdout=s.DEVNULL);print(time.monotonic()-t,r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss);sys.exit(p.returncode)";
    let mut words = vec!["-c", measure, env!("CARGO_BIN_EXE_keyrite")];
    words.extend(arguments.split(' '));
    let out = lab.run("python3", &words).ok().out;
    let figures: Vec<f64> = out.split_whitespace().map(|figure| figure.parse().expect("figure")).collect();
    (figures[0], figures[1])
}

fn compare(rounds: usize) {
    let lab_p256 = lab("ecdsa-p256");
    corpus::make(&lab_p256, "in", BATCH, true);
    corpus::make(&lab_p256, "one", 1, true);
    corpus::make(&lab_p256, "few", FEW, true);
    let lab_rsa = lab("rsa-4096");
    corpus::make(&lab_rsa, "in", RSA_BATCH, true);
    let peers = peers::Peers::new(&lab_p256);
    let mut all = Series::default();
    for round in 1..=rounds {
        table::say(&format!("round {round} of {rounds}"));
        let [whole, _, checks] = limit_of(&lab_p256, "in");
        all.add("limit, P-256: certificates a second", whole);
        let out = fresh("out.tar");
        let tar = BATCH as f64 / sign(&lab_p256, "in.tar", &out).0;
        all.add("keyrite, tar to tar: certificates a second", tar);
        all.add("keyrite, tar to tar / limit", tar / whole);
        let mixed = BATCH as f64 / sign(&lab_p256, "in", &fresh("out.tar")).0;
        all.add("keyrite, folder to tar / limit", mixed / whole);
        let folder = BATCH as f64 / sign(&lab_p256, "in", &fresh("out")).0;
        all.add("keyrite, folder to folder / limit", folder / whole);
        let ca = BATCH as f64 / peers.openssl_ca(&lab_p256, "in", &fresh("ca"));
        all.add("openssl ca: certificates a second", ca);
        all.add("keyrite, tar to tar / openssl ca", tar / ca);
        let root = "--root root/authorities/root-ca.crt";
        let verified = BATCH as f64 / timed(&lab_p256, &format!("verify {out} {root}")).0;
        all.add("keyrite verify, tar / its signature checks and hashes alone", verified / checks);
        let one = sign(&lab_p256, "one", &fresh("out.tar")).0;
        let x509 = peers.openssl_x509(&lab_p256, "one");
        all.add("one certificate: openssl x509 -req / keyrite ceremony run", x509 / one);
        for (name, seconds) in peers.one_by_one(&lab_p256, "few") {
            all.add(&format!("{name}: certificates a second"), FEW as f64 / seconds);
        }
        let [_, raw, _] = limit_of(&lab_rsa, "in");
        let rsa = RSA_BATCH as f64 / sign(&lab_rsa, "in.tar", &fresh("out.tar")).0;
        all.add("C_Sign alone, RSA-4096: signatures a second", raw);
        all.add("keyrite, RSA-4096, tar to tar / C_Sign alone", rsa / raw);
    }
    let mut text = table::heading(&format!("{BATCH} P-256 requests, {rounds} rounds, interleaved"));
    text += &all.table();
    text += peers::WHAT_EACH_CHECKS;
    table::write("results.md", &text);
}

/// One batch of each size: time per certificate and memory of each command.
fn growth(counts: &[&str]) {
    let mut text = table::heading("one batch of each size, tar to tar: µs a certificate, and peak MiB");
    text += "| requests | run | | verify | | audit | | ledger due | | resume of half | |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
    for count in counts {
        let start = Instant::now();
        let count: usize = count.parse().expect("count");
        let line = format!("| {count} | {} |\n", grown(count).join(" | "));
        table::say(&format!("{line}({:.0} s in all)", start.elapsed().as_secs_f64()));
        text += &line;
    }
    table::write("growth.md", &text);
}

/// Measures one batch of this size: two cells for each command.
fn grown(count: usize) -> Vec<String> {
    let mut lab = lab("ecdsa-p256");
    corpus::make(&lab, "in", count, false);
    let answers = support::repository().join("ceremony/answers-accept.toml");
    let common = format!("--answers {} --pin-file pin", answers.display());
    let run = format!("ceremony run sign.toml --hsm hsm.toml --in in.tar {common}");
    let mut cells = Vec::new();
    let mut measure = |lab: &Lab, arguments: &str, of: usize| {
        let (seconds, memory) = timed(lab, arguments);
        cells.push(format!("{:.1}", seconds * 1e6 / of as f64));
        cells.push(format!("{:.0}", memory / 1024.0));
    };
    measure(&lab, &format!("{run} --ledger ledger --out out.tar"), count);
    measure(&lab, "verify out.tar --root root/authorities/root-ca.crt", count);
    measure(&lab, "audit ledger out.tar root --root root/authorities/root-ca.crt", count);
    measure(&lab, "ledger due --ledger ledger --within 400d", count);
    lab.faulty();
    let hsm = lab.read("hsm.toml");
    lab.write("hsm.toml", format!("{hsm}sessions = 2\n"));
    lab.set("FAULTY_TOKEN_MODE", "kill");
    lab.set("FAULTY_TOKEN_AT", &(count / 2).to_string());
    let killed = lab.keyrite(&format!("{run} --ledger fresh --out half.tar"));
    assert_eq!(killed.code, -1, "was not killed: {killed:?}");
    lab.set("FAULTY_TOKEN_MODE", "none");
    measure(&lab, &format!("ceremony resume --ledger fresh {common}"), count / 2);
    cells
}
