//! Batches: tar input and output, many sessions, slow tokens, Ctrl-C.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{self, Lab, P256};

/// Creates a root, a script and `count` requests in `in/web`, made in this process.
fn ready(count: usize) -> Lab {
    let lab = Lab::signing();
    for number in 0..count {
        let host = format!("n{number}.example.test");
        let made = keyrite::kubernetes::request(&[format!("CN={host}")], &[host], &[]).unwrap();
        lab.write(&format!("in/web/{number:04}.csr"), made.request);
    }
    lab
}

fn sessions(lab: &Lab, count: usize) {
    let text = lab.read("hsm.toml");
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("sessions")).collect();
    lab.write("hsm.toml", format!("{}\nsessions = {count}\n", kept.join("\n")));
}

fn verify(lab: &Lab, release: &str) -> support::Ran {
    lab.keyrite(&format!("verify {release} --root root/authorities/root-ca.crt"))
}

fn sh(lab: &Lab, script: &str) {
    lab.run("sh", &["-ec", script]).ok();
}

/// Returns the manifest without serial numbers and times.
fn answers(lab: &Lab, release: &str) -> Vec<(String, String, String)> {
    let manifest = lab.manifest(release);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let entries = manifest["certificates"].as_array().unwrap().iter();
    entries.map(|c| (text(&c["request_path"]), text(&c["request_sha256"]), text(&c["path"]))).collect()
}

#[test]
fn tar_and_folder_are_equivalent() {
    let lab = ready(150);
    lab.csr("in/web/bad.csr", "/CN=bad", "DNS:bad.example.org", P256);
    // In disk order, in reverse order of names, and with long names and folder entries of other
    // programs.
    sh(
        &lab,
        "tar cf disk.tar -C in . && (cd in && ls -r web/* | tar cf ../back.tar --format=pax -T -) && tar cf gnu.tar --format=gnu -C in web",
    );
    sh(&lab, "cp -r ledger fresh");
    lab.sign("in", "folder").ok();
    let expected = answers(&lab, "folder");
    let digest = lab.manifest("folder")["bundle_sha256"].clone();
    let own =
        "cd in && find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-64";
    assert_eq!(digest, lab.run("sh", &["-c", own]).ok().out.trim());
    for bundle in ["disk.tar", "back.tar", "gnu.tar"] {
        sh(&lab, "rm -rf ledger out out.tar && cp -r fresh ledger");
        lab.sign(bundle, "out.tar").ok();
        assert!(verify(&lab, "out.tar").ok().out.contains("certificates 150, refusals 1"));
        sh(&lab, "mkdir out && tar xf out.tar -C out");
        verify(&lab, "out").ok();
        assert_eq!(answers(&lab, "out"), expected, "{bundle}");
        assert_eq!(lab.manifest("out")["bundle_sha256"], digest, "{bundle}");
        assert!(!lab.path("out.tar.partial").exists());
    }
    // Repacked in any order it is still the release.
    sh(&lab, "tar cf again.tar -C out .");
    verify(&lab, "again.tar").ok();
}

#[test]
fn invalid_tars() {
    let lab = ready(2);
    let signed = |make: &str| {
        sh(&lab, &format!("rm -rf x bad.tar && cp -r in x && {make}"));
        let ran = lab.sign("bad.tar", "out");
        assert!(!lab.path("out").exists(), "{make}");
        ran
    };
    let refused = |make: &str, needles: &[&str]| _ = signed(make).fails(1, needles);
    refused("ln -s /etc/passwd x/web/l.csr && tar cf bad.tar -C x .", &["web/l.csr", "MEDIA-TYPE"]);
    refused("ln x/web/0000.csr x/web/l.csr && tar cf bad.tar -C x .", &["MEDIA-TYPE"]);
    refused("mkfifo x/web/p.csr && tar cf bad.tar -C x .", &["web/p.csr", "MEDIA-TYPE"]);
    refused("tar cPf bad.tar ./x/../x/web/0000.csr", &["..", "MEDIA-NAME"]);
    refused("tar cPf bad.tar /etc/hostname", &["MEDIA-NAME"]);
    refused("touch 'x/web/a b.csr' && tar cf bad.tar -C x .", &["a b.csr", "MEDIA-NAME"]);
    refused(
        "cp x/web/0000.csr x/web/A.csr; cp x/web/0001.csr x/web/a.csr; tar cf bad.tar --sort=name -C x .",
        &["MEDIA-NAME"],
    );
    refused("tar cf bad.tar -C x . && tar rf bad.tar -C x web/0000.csr", &["same name", "MEDIA-NAME"]);
    // The message shows some of the octets.
    signed("tar czf bad.tar -C x .").fails_somehow(1, &["bad.tar", "uncompressed tar"]);
    signed("head -c 3000 /dev/urandom > bad.tar").fails_somehow(1, &["bad.tar", "MEDIA-TYPE"]);
    refused("tar cf - -C x . | head -c 3500 > bad.tar", &["truncated"]);
    refused("tar cf - -C x . | head -c 2700 > bad.tar", &["truncated"]);
    refused("tar cf - -C x web | head -c 3072 > bad.tar", &["truncated"]);
    refused("tar cf bad.tar -C x . && echo hidden >> bad.tar", &["follows the end"]);
    refused("tar cf bad.tar -C x . && cat bad.tar bad.tar > b && mv b bad.tar", &["follows the end"]);
    refused("truncate -s 10G x/web/big.csr && tar cSf bad.tar -C x .", &["MEDIA-"]);
    refused("truncate -s 80K x/web/big.csr && tar cf bad.tar -C x .", &["web/big.csr", "MEDIA-SIZE"]);
    let long = "python3 -c \"import tarfile;t=tarfile.open('bad.tar','w',format=FORMAT);i=tarfile.TarInfo('a'*9000000);t.addfile(i)\"";
    for format in ["tarfile.GNU_FORMAT", "tarfile.PAX_FORMAT"] {
        refused(&long.replace("FORMAT", format), &["a header is larger than a megabyte", "MEDIA-TYPE"]);
    }
    // What carries nothing and would take long: endless zeros, and folders.
    refused("tar cf bad.tar -C x . && truncate -s 20G bad.tar", &["of zeros follow the end", "MEDIA-SIZE"]);
    refused("truncate -s 20G bad.tar", &["of zeros follow the end", "MEDIA-SIZE"]);
    let folders = "python3 -c \"import tarfile;t=tarfile.open('bad.tar','w');i=tarfile.TarInfo('d');i.type=b'5'\nfor n in range(100001): i.name='d%d'%n; t.addfile(i)\"";
    refused(folders, &["more than 100000 folders", "MEDIA-SIZE"]);
    // A folder with a size beyond any file system's limit.
    let far = "python3 -c \"import tarfile;i=tarfile.TarInfo('web');i.type=b'5';i.size=2**62;open('bad.tar','wb').write(i.tobuf(tarfile.GNU_FORMAT)+bytes(1024))\"";
    refused(far, &["truncated", "MEDIA-TYPE"]);
    assert_eq!(verify(&lab, "bad.tar").fails(1, &["truncated"]).code, 1);
    refused("tar cf bad.tar -T /dev/null", &["BUNDLE-EMPTY"]);
    refused(
        "openssl genpkey -algorithm ed25519 -out x/web/k.csr && tar cf bad.tar -C x .",
        &["BUNDLE-PRIVATE-KEY"],
    );
    lab.sign("absent.tar", "out").fails(3, &["absent.tar"]);
    // The ledger is unchanged: the same requests are still new.
    lab.sign("in", "out").ok();
}

#[test]
fn tar_output_never_overwrites() {
    let lab = ready(1);
    for name in ["out.tar", "out.tar.partial"] {
        lab.write(name, "precious");
        lab.sign("in", "out.tar").fails(2, &[name, "exists"]);
        assert_eq!(lab.read(name), "precious");
        std::fs::remove_file(lab.path(name)).unwrap();
    }
    lab.write("file", "precious");
    lab.sign("in", "file").fails(2, &["file: is a file"]);
    lab.sign("in", "nowhere/out.tar").fails(3, &["nowhere"]);
    lab.sign("in", "out.tar").ok();
}

#[test]
fn every_tar_modification_is_detected() {
    let lab = ready(3);
    lab.sign("in", "good.tar").ok();
    sh(&lab, "mkdir good && tar xf good.tar -C good");
    let broken = |change: &str, needle: &str| {
        sh(
            &lab,
            &format!("rm -rf bad bad.tar && cp -r good bad && cd bad && {change} && tar cf ../bad.tar ."),
        );
        verify(&lab, "bad.tar").fails(1, &[needle, "NOT VERIFIED"]);
    };
    for file in lab.files("good") {
        broken(&format!("rm {file}"), &file);
        broken(&format!("printf x >> {file}"), "");
    }
    broken("mv certificates/web/0000.crt certificates/web/0000.CRT", "0000.crt: missing");
    broken("cp certificates/web/0000.crt certificates/web/x.crt", "web/x.crt: is not in the manifest");
    broken("ln -sf /etc/hostname certificates/web/0001.crt", "MEDIA-TYPE");
    for (make, needle) in [
        ("head -c -1024 good.tar > bad.tar", "truncated"),
        ("cp good.tar bad.tar && echo x >> bad.tar", "follows the end"),
        ("cp good.tar bad.tar && tar rf bad.tar -C good certificates/web/0000.crt", "same name"),
    ] {
        sh(&lab, make);
        verify(&lab, "bad.tar").fails(1, &[needle, "NOT VERIFIED"]);
    }
}

/// The order of the output does not depend on timing: many sessions, one session, a slow token.
#[test]
fn sessions_and_latency_affect_only_speed() {
    let lab = ready(300);
    sh(&lab, "cp -r ledger fresh");
    lab.sign("in", "plain").ok();
    let expected = answers(&lab, "plain");
    let mut lab = lab;
    lab.faulty();
    for (count, slow) in [(1, "0"), (2, "500"), (8, "2000")] {
        sh(&lab, "rm -rf ledger out && cp -r fresh ledger");
        sessions(&lab, count);
        lab.set("FAULTY_TOKEN_MODE", "slow");
        lab.set("FAULTY_TOKEN_USEC", slow);
        lab.sign("in", "out").ok();
        verify(&lab, "out").ok();
        assert_eq!(answers(&lab, "out"), expected, "{count} sessions, {slow} microseconds");
    }
    // A token with one or two sessions, where the profile has eight.
    for at in ["2", "3"] {
        sh(&lab, "rm -rf ledger out && cp -r fresh ledger");
        lab.set("FAULTY_TOKEN_MODE", "sessions");
        lab.set("FAULTY_TOKEN_AT", at);
        lab.sign("in", "out").ok();
        assert_eq!(answers(&lab, "out"), expected);
    }
    lab.set("FAULTY_TOKEN_AT", "1");
    lab.csr("more/web/more.csr", "/CN=more", "DNS:more.example.test", P256);
    lab.sign("more", "more-out").fails(3, &["C_OpenSession: CKR_SESSION_COUNT (0x000000B1)"]);
    for wrong in ["0", "65"] {
        let text = lab.read("hsm.toml").replace("sessions = 8", &format!("sessions = {wrong}"));
        lab.write("wrong.toml", text);
        lab.keyrite("token list --hsm wrong.toml").fails(2, &[&format!("sessions is {wrong}"), "1 to 64"]);
    }
}

/// With one processor and one session, one thread does everything: it verifies a batch before it
/// signs the next.
#[test]
fn single_session_verifies_before_signing_more() {
    let mut lab = ready(600);
    lab.faulty();
    sessions(&lab, 1);
    for (key, value) in [("MODE", "flip"), ("AT", "10"), ("COUNT", "count")] {
        lab.set(&format!("FAULTY_TOKEN_{key}"), value);
    }
    let answers = support::repository().join("ceremony/answers-accept.toml");
    let run = format!(
        "taskset -c 0 {} ceremony run sign.toml --hsm hsm.toml --ledger ledger --answers {} --pin-file pin --in in --out out",
        env!("CARGO_BIN_EXE_keyrite"),
        answers.display()
    );
    lab.run("sh", &["-c", &run]).fails(4, &["does not verify"]);
    // The proofs of the keys, and one batch.
    let signed = lab.read("count").len();
    assert!(signed <= 3 + 64, "{signed} signatures, the tenth was wrong");
    lab.set("FAULTY_TOKEN_MODE", "none");
    lab.resume().ok();
    assert!(verify(&lab, "out").ok().out.contains("certificates 600"));
}

/// Memory does not grow with requests, ledger or release, nor in an audit of all of it.
#[test]
fn memory_does_not_grow_with_the_batch() {
    let peak = |count: usize| -> [u64; 2] {
        let mut lab = ready(count);
        lab.faulty();
        sessions(&lab, 2);
        lab.set("FAULTY_TOKEN_MODE", "slow");
        lab.set("FAULTY_TOKEN_USEC", "100");
        let script = "import resource,subprocess,sys;r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL);print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);sys.exit(r.returncode)";
        let arguments = format!(
            "ceremony run sign.toml --hsm hsm.toml --ledger ledger --answers {}/ceremony/answers-accept.toml --pin-file pin --in in --out out.tar",
            support::repository().display()
        );
        [arguments.as_str(), "audit ledger out.tar"].map(|arguments| {
            let mut words = vec!["-c", script, env!("CARGO_BIN_EXE_keyrite")];
            words.extend(arguments.split(' '));
            lab.run("python3", &words).ok().out.trim().parse().unwrap()
        })
    };
    // In kB; 2,000 requests with their certificates take some 6 MB on disk.
    let (few, many) = (peak(200), peak(2000));
    for (few, many) in few.into_iter().zip(many) {
        assert!(many < few + 12_000, "{few} KiB for 200 requests, {many} KiB for 2000");
    }
}

/// A large import is written to disk before the bundle is known to be usable.
#[test]
fn refused_large_bundle_leaves_ledger_unchanged() {
    let lab = ready(1);
    // One request under many names, more than twice what is written ahead. Duplicates would be
    // found only at the end; the private key, which is read last, is found before that.
    let request = lab.read("in/web/0000.csr");
    let copies = 5 * (1 << 20) / request.len();
    (0..copies).for_each(|number| lab.write(&format!("in/web/x{number}.csr"), &request));
    lab.write("in/web/z.csr", "-----BEGIN PRIVATE KEY-----\n");
    sh(&lab, "cp ledger/ledger.sqlite before");
    lab.sign("in", "out").fails(1, &["BUNDLE-PRIVATE-KEY", "web/z.csr"]);
    sh(&lab, "cmp before ledger/ledger.sqlite && test \"$(ls ledger)\" = ledger.sqlite && ! test -e out");
    sh(&lab, "rm in/web/z.csr in/web/x*");
    lab.sign("in", "out").ok();
}

/// Ctrl-C while certificates are signed: a clean stop, exit code 4, and `resume` loses nothing.
#[test]
fn control_c_stops_between_groups() {
    let mut lab = ready(600);
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "slow");
    lab.set("FAULTY_TOKEN_USEC", "20000");
    let arguments = format!(
        "ceremony run sign.toml --hsm hsm.toml --ledger ledger --answers {}/ceremony/answers-accept.toml --pin-file pin --in in --out out.tar",
        support::repository().display()
    );
    let words: Vec<&str> = arguments.split(' ').collect();
    let mut command = lab.command(env!("CARGO_BIN_EXE_keyrite"), &words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The first certificates are recorded; many are left.
    lines.find(|line| line.contains("of 600 issued")).expect("progress is told");
    let id = child.id().to_string();
    lab.run("kill", &["-INT", &id]).ok();
    let said: Vec<String> = lines.collect();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said:?} {errors}");
    assert!(said.iter().any(|line| line.contains("stopping at the next safe point")));
    for text in ["of 600 certificates were issued", "all of it is in the ledger", "keyrite ceremony resume"] {
        assert!(errors.contains(text), "{errors}");
    }
    assert!(!lab.path("out.tar").exists());
    lab.set("FAULTY_TOKEN_MODE", "none");
    let resumed = lab.resume().ok().out;
    // The rate does not count the work of an earlier run.
    for told in resumed.split(" a second").filter_map(|text| text.rsplit(' ').next()) {
        let rate: f64 = told.parse().unwrap_or_default();
        assert!(rate < 100_000.0, "{resumed}");
    }
    assert!(verify(&lab, "out.tar").ok().out.contains("certificates 600, refusals 0"));
    let counts = "SELECT concat_ws(' ', count(*), count(DISTINCT serial), (SELECT count(*) FROM issued)) FROM certificate";
    // The other two are root and manifest signer.
    assert_eq!(lab.query("ledger", counts), ["602 602 602"]);
}
