//! The cluster side alone: one static binary without SQLite and PKCS#11.
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Lab, Ran};

/// Builds it as `make cluster-binary` does, but with the debug profile.
fn build() -> PathBuf {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let target = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--no-default-features", "--bin", "keyrite"])
        .args(["--target", &target, "--target-dir", "target/cluster"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(crate::support::repository())
        .status()
        .unwrap();
    assert!(status.success());
    crate::support::repository().join("target/cluster").join(target).join("debug/keyrite")
}

#[test]
fn static_binary_creates_requests_and_handles_releases() {
    let program = build();
    let octets = std::fs::read(&program).unwrap();
    for library in ["SQLite format 3", "C_GetFunctionList", "GLIBC_2."] {
        assert!(!octets.windows(library.len()).any(|part| part == library.as_bytes()), "links {library}");
    }
    let lab = Lab::cluster();
    lab.control_plane("node", "made");
    let light = |arguments: &str| -> Ran {
        lab.run(program.to_str().unwrap(), &arguments.split(' ').collect::<Vec<_>>())
    };
    light("request collect made --out bundle").ok();
    assert!(lab.path("bundle/bundle.json").exists());
    lab.sign_cluster("made", "release").ok();
    let trust = "--root roots/authorities/kubernetes-ca.crt";
    light(&format!("verify release {trust}")).ok();
    light(&format!("install release {trust} --pki node/pki")).ok();
    assert!(lab.path("node/pki/apiserver.crt").exists());
    let audit = light("audit roots release").ok();
    assert!(audit.out.contains("THE RECORD HOLDS"), "{}", audit.out);
    light("audit ledger").fails(2, &["is a ledger, which the cluster's side of keyrite cannot read"]);
    light("ceremony resume --ledger ledger").fails(2, &["unrecognized subcommand 'ceremony'"]);
    // It rejects what the full program rejects.
    lab.run("sh", &["-c", "echo >> release/certificates/pki/apiserver.crt || echo >> release/manifest.json"])
        .ok();
    let whole = lab.keyrite(&format!("verify release {trust}"));
    let ran = light(&format!("verify release {trust}"));
    assert_eq!((ran.code, ran.err), (1, whole.err), "both say the same");
}
