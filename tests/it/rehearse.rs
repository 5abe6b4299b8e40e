//! `keyrite rehearse SCRIPT`: the unchanged script and bundle on a throwaway token, with the same
//! plan digest and a preview of what would be signed.

use crate::support::{self, Lab, P256, WEB, typist};

fn ready() -> Lab {
    let lab = Lab::without_token();
    lab.ceremony_files();
    lab.csr("bundle/servers/www.csr", "/O=Example/CN=www", "DNS:www.example.internal,IP:10.0.0.1", P256);
    lab.csr("bundle/clients/b.csr", "/CN=b", "", P256);
    lab
}

const ANSWERS: &str = "--answers ceremony/answers-accept.toml";

#[test]
fn script_and_bundle_run_unchanged_and_are_previewed() {
    let lab = ready();
    let before = lab.files(".");
    let ran =
        lab.keyrite(&format!("rehearse ceremony/single-sign.toml --in bundle --out show {ANSWERS}")).ok();
    let checked = lab.keyrite("ceremony check ceremony/single-sign.toml").ok().out;
    let digest = checked.lines().find_map(|line| line.strip_prefix("plan digest  ")).unwrap();
    let manifest = lab.manifest("show/release");
    assert_eq!(manifest["plan"]["sha256"], digest, "the approved digest is the rehearsed one");
    assert_eq!(manifest["kind"], "rehearsal");
    for shown in [
        digest,
        "REHEARSAL: Single root: sign requests",
        "Step 5 of 7: review",
        "THE RECORD HOLDS",
        "preview      2",
    ] {
        assert!(ran.out.contains(shown), "no {shown:?} in:\n{}", ran.out);
    }
    // The preview equals what was signed, octet by octet.
    for (name, says) in
        [("servers/www", "DNS www.example.internal, IP 10.0.0.1"), ("clients/b", "id-kp-clientAuth")]
    {
        let text = lab.read(&format!("show/preview/{name}.txt"));
        assert!(text.contains("REHEARSAL") && text.contains(says), "{text}");
        lab.openssl(&format!("x509 -in show/release/certificates/{name}.crt -outform DER -out c.der")).ok();
        let tbs = std::fs::read(lab.path(&format!("show/preview/{name}.tbs.der"))).unwrap();
        let certificate = std::fs::read(lab.path("c.der")).unwrap();
        assert_eq!(&certificate[4..4 + tbs.len()], tbs);
    }
    assert!(lab.read("show/report.html").contains("REHEARSAL"));
    // Nothing was created elsewhere.
    let after: Vec<String> = lab.files(".").into_iter().filter(|file| !file.starts_with("show/")).collect();
    let known = ["c.der"];
    assert!(after.iter().all(|file| before.contains(file) || known.contains(&file.as_str())), "{after:?}");
}

#[test]
fn earlier_scripts_create_authorities() {
    let lab = ready();
    let after = "--after ceremony/single-root.toml";
    let ran = lab.keyrite(&format!("rehearse ceremony/intermediate.toml {after} --out show {ANSWERS}")).ok();
    assert!(!ran.out.contains("Stand-ins"), "{}", ran.out);
    let text = lab.read("show/preview/keys/issuing-ca.txt");
    assert!(text.contains("CA true, path length 0") && text.contains("KeyCertSign"), "{text}");
    let manifest = lab.manifest("show/release");
    let names: Vec<&str> =
        manifest["authorities"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["root-ca", "issuing-ca"]);
}

/// Masks serial number and times of a TBSCertificate.
fn masked(tbs: &[u8]) -> Vec<u8> {
    let mut octets = tbs.to_vec();
    for (tag, times) in [([0x02, 0x14], 1), ([0x17, 0x0d], 2)] {
        let length = usize::from(tag[1]);
        for _ in 0..times {
            let at = octets.windows(2).position(|pair| pair == tag).unwrap();
            octets[at] = 0;
            octets[at + 2..at + 2 + length].fill(0);
        }
    }
    octets
}

#[test]
fn previews_match_what_the_real_ceremony_signs() {
    let lab = Lab::new();
    lab.root("ecdsa-p384");
    lab.sign_script(WEB);
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab.csr("in/web/b.csr", "/CN=b", "DNS:b.example.test", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    lab.sign("in", "out").ok();
    let real = "--authority root-ca=root/authorities/root-ca.crt";
    let answers = format!("--answers {}/ceremony/answers-accept.toml", support::repository().display());
    let rehearse = |more: &str| lab.keyrite(&format!("rehearse sign.toml --in in {answers} {more}"));
    rehearse(&format!("--out show {real}")).ok();
    rehearse("--out stand-in").ok();
    for name in ["a", "b"] {
        lab.openssl(&format!("x509 -in out/certificates/web/{name}.crt -outform DER -out c.der")).ok();
        let certificate = std::fs::read(lab.path("c.der")).unwrap();
        let tbs = std::fs::read(lab.path(&format!("show/preview/web/{name}.tbs.der"))).unwrap();
        assert_eq!(masked(&certificate[4..4 + tbs.len()]), masked(&tbs));
        let text = lab.read(&format!("show/preview/web/{name}.txt"));
        assert!(
            text.contains("differs in: serial number and times.") && text.contains("CN=Test Root"),
            "{text}"
        );
        let stand_in = std::fs::read(lab.path(&format!("stand-in/preview/web/{name}.tbs.der"))).unwrap();
        assert_ne!(masked(&stand_in), masked(&tbs));
    }
    for (wrong, told) in [
        ("--authority root-ca", "NAME=FILE"),
        ("--authority other=root/authorities/root-ca.crt", "no roster line"),
        ("--authority root-ca=absent.crt", "absent.crt"),
        ("--authority root-ca=sign.toml", "sign.toml"),
        ("--authority root-ca=out/certificates/web/a.crt", "does not allow it to sign"),
        (&format!("{real} {real}"), "duplicate"),
    ] {
        rehearse(&format!("--out no {wrong}")).fails(2, &[told]);
        assert!(!lab.path("no").exists(), "{wrong}");
    }
}

#[test]
fn failures_appear_in_the_rehearsal() {
    let lab = ready();
    let sign = "rehearse ceremony/single-sign.toml";
    lab.csr("bad/servers/x.csr", "/CN=x", "DNS:x.example.org", P256);
    lab.keyrite(&format!("{sign} --in bad --out one {ANSWERS}")).fails(1, &["NAME-DNS"]);
    // Invalid arguments are found before anything is created: the same folder stays free.
    lab.keyrite(&format!("{sign} --in bundle --out two")).fails(2, &["no terminal"]);
    lab.keyrite(&format!("{sign} --out two {ANSWERS}")).fails(2, &["name one or more with --in"]);
    lab.keyrite(&format!("{sign} --in bundel --out two {ANSWERS}")).fails(3, &["bundel"]);
    lab.keyrite(&format!("{sign} --in bundle --out two --answers absent")).fails(2, &["absent"]);
    lab.keyrite(&format!("rehearse ceremony/single-root.toml --in bundle --out two {ANSWERS}"))
        .fails(2, &["omit --in"]);
    lab.keyrite(&format!("{sign} --in bundle --after {} --out two {ANSWERS}", "ceremony/single-sign.toml"))
        .fails(2, &["--after single-sign.toml: the script imports bundles"]);
    assert!(!lab.path("two").exists());
    lab.keyrite(&format!("{sign} --in bundle --out two {ANSWERS}")).ok();
    lab.keyrite(&format!("{sign} --in bundle --out bad {ANSWERS}")).fails(2, &["bad: exists"]);
    lab.keyrite("rehearse --in bundle").fails(2, &["SCRIPT"]);
    lab.keyrite("rehearse absent.toml").fails(2, &["absent.toml"]);
}

/// A stopped rehearsal practises resuming as well: the printed commands are typed as they are.
#[test]
fn stopped_rehearsal_resumes_with_the_printed_commands() {
    let lab = ready();
    let steps = [
        ("operator: type your name", "Ann Example"),
        ("Are the names right?", "yes"),
        ("type words", "{words}"),
        ("type the date in UTC", "{date}"),
        ("User PIN of token rehearsal: ", "rehearsal-user-pin"),
        ("type: root-ca", "root-ca"),
        ("type: manifest", "stop"),
    ];
    let ran = typist::typed(&lab, &steps, "rehearse ceremony/single-root.toml --out show");
    assert_eq!(ran.code, 4, "{}", ran.out);
    let line = |start: &str| {
        let found = ran.out.lines().rev().map(str::trim).find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("no {start:?} in:\n{}", ran.out)).to_owned()
    };
    // The printed run command is one command, although it is longer than a line.
    let run =
        ran.out.lines().map(str::trim_end).skip_while(|line| !line.starts_with("keyrite ceremony run "));
    let mut whole: Vec<&str> = run.take_while(|line| !line.starts_with("REHEARSAL")).collect();
    let last = whole.pop().unwrap();
    assert!(last.ends_with("--out release") && !whole.is_empty(), "{last}");
    assert!(whole.iter().all(|line| line.ends_with(" \\")), "{whole:?}");
    let [enter, variable, resume] = ["cd ", "export SOFTHSM2_CONF=", "keyrite ceremony resume "].map(line);
    let answers = lab.path("ceremony/answers-accept.toml");
    let keyrite = env!("CARGO_BIN_EXE_keyrite");
    let typed = format!(
        "{enter} && {variable} && {} --answers {} --pin-file token/pin",
        resume.replacen("keyrite", keyrite, 1),
        answers.display()
    );
    let out = lab.run("sh", &["-c", &typed]).ok().out;
    let head = out.lines().skip_while(|line| *line != "head of the transcript").nth(1).unwrap().trim();
    let report = lab.keyrite("ceremony report show/ledger --format markdown").ok().out;
    assert!(head.len() == 64 && report.contains(head), "{head} in {report}");
    assert!(lab.path("show/release/manifest.json").exists());
}
