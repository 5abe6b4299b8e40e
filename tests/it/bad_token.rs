//! Faults of modules, tokens and PINs: each message names the thing and both values and has the
//! documented exit code; ledger and output stay intact.

use crate::support::{self, Lab, P256, PIN, SOFTHSM};

/// Creates a root, a script and a valid request.
fn ready() -> Lab {
    let lab = Lab::signing();
    lab.csr("in/web/a.csr", "/CN=a", "DNS:a.example.test", P256);
    lab
}

fn no_output(lab: &Lab) {
    assert!(!lab.path("out").exists(), "output was written");
}

#[test]
fn missing_module() {
    let lab = Lab::new();
    lab.write_root_script();
    lab.write("hsm.toml", "name = \"x\"\nmodule = [\"/nonexistent/a.so\", \"/nonexistent/b.so\"]\n");
    lab.ceremony("root.toml", "--out out")
        .fails(2, &["no PKCS#11 module at /nonexistent/a.so or /nonexistent/b.so"]);
    assert!(!lab.path("ledger").exists());
    lab.write("hsm.toml", "name = \"x\"\nmodule = [\"relative.so\"]\n");
    lab.ceremony("root.toml", "--out out").fails(2, &["relative.so is not an absolute path"]);
    lab.write("hsm.toml", format!("name = \"x\"\nmodule = [\"{SOFTHSM}\"]\nsurprise = 1\n"));
    lab.ceremony("root.toml", "--out out").fails(2, &["surprise"]);
}

#[test]
fn invalid_or_unpinned_module() {
    let lab = Lab::new();
    lab.write_root_script();
    lab.write("fake.so", "not a library");
    lab.write("hsm.toml", format!("name = \"x\"\nmodule = [\"{}\"]\n", lab.path("fake.so").display()));
    lab.ceremony("root.toml", "--out out").fails(2, &["fake.so", "is not a PKCS#11 module"]);
    let other = lab.run("sh", &["-c", "ls /lib/*/libm.so.6 /usr/lib/*/libm.so.6 2>/dev/null | head -1"]).out;
    lab.write("hsm.toml", format!("name = \"x\"\nmodule = [\"{}\"]\n", other.trim()));
    lab.ceremony("root.toml", "--out out").fails(2, &["libm.so.6", "is not a PKCS#11 module"]);
    let pin = "00".repeat(32);
    lab.write("hsm.toml", format!("name = \"x\"\nmodule = [\"{SOFTHSM}\"]\nmodule_sha256 = \"{pin}\"\n"));
    lab.ceremony("root.toml", "--out out").fails(2, &["SHA-256 is", &pin]);
    no_output(&lab);
}

#[test]
fn absent_ambiguous_or_uninitialised_token() {
    let lab = Lab::without_token();
    lab.write_root_script();
    lab.ceremony("root.toml", "--out out")
        .fails(3, &["no initialised token matches", "not initialised", "keyrite token init"]);
    lab.init_token("lab");
    lab.ceremony("root.toml", "--out out --token-label other")
        .fails(3, &["token with label \"other\"", "label \"lab\""]);
    lab.keyrite("token init --hsm hsm.toml --label lab --so-pin-file so-pin --pin-file pin")
        .fails(2, &["already exists"]);
    // Two tokens with one label, which only another program creates.
    lab.run("softhsm2-util", &["--init-token", "--free", "--label", "lab", "--pin", PIN, "--so-pin", "1234"])
        .ok();
    let ran = lab
        .ceremony("root.toml", "--out out --token-label lab")
        .fails(2, &["2 tokens match", "--token-serial"]);
    assert_eq!(ran.err.matches("label \"lab\"").count(), 3, "the candidates are listed: {}", ran.err);
    let tokens: serde_json::Value =
        serde_json::from_str(&lab.keyrite("token list --hsm hsm.toml --json").ok().out).unwrap();
    let serial = tokens[0]["serial"].as_str().unwrap();
    lab.keyrite(&format!("token inspect --hsm hsm.toml --token-serial {serial} --pin-file pin")).ok();
}

#[test]
fn invalid_new_pins_change_nothing() {
    let lab = Lab::without_token();
    let init = |label: &str, so: &str, user: &str| {
        lab.keyrite(&format!(
            "token init --hsm hsm.toml --label {label} --so-pin-file {so} --pin-file {user}"
        ))
    };
    lab.write("short", "123\n");
    lab.write("long", format!("{}\n", "1".repeat(256)));
    let unchanged = "nothing was changed";
    init("lab", "short", "pin")
        .fails(2, &["security officer's PIN: too short", "at least 4 octets", unchanged]);
    init("lab", "so-pin", "short").fails(2, &["user PIN: too short", "4 to 255 octets", unchanged]);
    init("lab", "so-pin", "long").fails(2, &["user PIN: too long", "4 to 255 octets", unchanged]);
    init("lab", "so-pin", "pin").ok();
    // A label in use is reported before a PIN is asked for.
    init("lab", "absent", "absent").fails(2, &["already exists"]);
}

#[test]
fn missing_user_pin_is_set() {
    let mut lab = Lab::without_token();
    lab.faulty();
    let init = "token init --hsm hsm.toml --label lab --so-pin-file so-pin --pin-file pin";
    lab.set("FAULTY_TOKEN_MODE", "pinincorrect");
    lab.keyrite(init).fails(3, &["C_Login", "but no user PIN", "run the same command again to set it"]);
    lab.set("FAULTY_TOKEN_MODE", "none");
    lab.write_root_script();
    lab.ceremony("root.toml", "--out out").fails(3, &["no user PIN is set", "keyrite token init"]);
    let ran = lab.keyrite(init).ok();
    assert!(ran.out.contains("only the PIN is set"), "{}", ran.out);
    lab.ceremony("root.toml", "--out out").ok();
    lab.keyrite(init).fails(2, &["already exists"]);
}

#[test]
fn wrong_pin_is_tried_once() {
    let lab = ready();
    lab.write("wrong", "0000\n");
    lab.write("pin", "0000\n");
    lab.sign("in", "out").fails(
        3,
        &[
            "C_Login: CKR_PIN_INCORRECT (0x000000A0)",
            "PIN attempts left",
            "never retries",
            "The ceremony is closed",
        ],
    );
    no_output(&lab);
    // PIN files are checked before the ceremony begins.
    lab.write("pin", "\n");
    lab.sign("in", "out").fails(2, &["PIN from pin: the first line is empty"]);
    std::fs::remove_file(lab.path("pin")).unwrap();
    lab.sign("in", "out").fails(3, &["PIN from pin: No such file"]);
    lab.keyrite("ceremony report ledger --ceremony 3").fails(2, &["no such ceremony; the ledger has 1 to 2"]);
    lab.write("pin", format!("{PIN}\n"));
    // Nothing was signed: the ceremony was closed, a new one begins.
    lab.sign("in", "out").ok();
}

#[test]
fn pin_states_are_read_before_login() {
    let mut lab = ready();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "tokenflags");
    lab.set("FAULTY_TOKEN_FLAGS", "40000");
    lab.sign("in", "out").fails(3, &["CKF_USER_PIN_LOCKED"]);
    lab.set("FAULTY_TOKEN_FLAGS", "20000");
    lab.sign("in", "out").fails(3, &["CKF_USER_PIN_FINAL_TRY", "--accept-final-try"]);
    no_output(&lab);
    lab.ceremony("sign.toml", "--in in --out out --accept-final-try").ok();
    lab.set("FAULTY_TOKEN_MODE", "pinlocked");
    lab.csr("in2/web/b.csr", "/CN=b", "DNS:b.example.test", P256);
    lab.sign("in2", "out2").fails(3, &["C_Login: CKR_PIN_LOCKED (0x000000A4)", "security officer"]);
}

#[test]
fn existing_label_is_not_reused() {
    let lab = Lab::new();
    lab.write_root_script();
    lab.run(
        "pkcs11-tool",
        &[
            "--module",
            SOFTHSM,
            "--token-label",
            "lab",
            "--login",
            "--pin",
            PIN,
            "--keypairgen",
            "--key-type",
            "EC:prime256v1",
            "--label",
            "root-ca",
        ],
    )
    .ok();
    let stranger = ["EC private key", "EC public key", "TOKEN-STRANGER", "strangers = \"report\""];
    lab.ceremony("root.toml", "--out out").fails(3, &stranger);
    no_output(&lab);
    let text = lab.read("root.toml").replace("\"inventory\"", "\"inventory\"\nstrangers = \"report\"");
    lab.write("root.toml", text);
    lab.ceremony("root.toml", "--out out").fails(3, &["2 objects already have the label \"root-ca\""]);
    no_output(&lab);
    // Also in the ledger.
    let lab = ready();
    lab.ceremony("root.toml", "--out out")
        .fails(2, &["key root-ca: the ledger already has a key with this name"]);
}

#[test]
fn key_with_other_attributes_is_destroyed() {
    let mut lab = Lab::new();
    lab.write_root_script();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "extractable");
    lab.ceremony("root.toml", "--out out")
        .fails(3, &["CKA_EXTRACTABLE is true, must be false", "was destroyed"]);
    lab.set("FAULTY_TOKEN_MODE", "none");
    let left = lab.keyrite("token inspect --hsm hsm.toml --pin-file pin").ok();
    assert!(left.out.contains("has no object"), "{}", left.out);
    lab.ceremony("root.toml", "--out out").ok();
}

#[test]
fn invalid_signature_is_not_written() {
    let mut lab = ready();
    lab.faulty();
    lab.set("FAULTY_TOKEN_MODE", "flip");
    // The first two signatures are the challenges of the inventory, the third is the certificate's.
    lab.sign("in", "out").fails(3, &["does not verify"]);
    lab.set("FAULTY_TOKEN_AT", "3");
    lab.sign("in", "out").fails(4, &["does not verify", "resume"]);
    no_output(&lab);
    lab.set("FAULTY_TOKEN_MODE", "none");
    lab.resume().ok();
    lab.openssl("verify -x509_strict -CAfile root/authorities/root-ca.crt out/certificates/web/a.crt").ok();
    let serials = lab.manifest("out")["certificates"].as_array().unwrap().len();
    assert_eq!(serials, 1);
}

#[test]
fn token_faults_name_function_and_code() {
    for (mode, texts) in [
        ("removed", ["C_Sign", "CKR_DEVICE_REMOVED (0x00000032)"]),
        ("general", ["C_Sign", "CKR_GENERAL_ERROR (0x00000005)"]),
        ("sessionclosed", ["C_Sign", "CKR_SESSION_CLOSED (0x000000B0)"]),
        ("short", ["does not verify", "resume"]),
    ] {
        let mut lab = ready();
        lab.faulty();
        lab.set("FAULTY_TOKEN_MODE", mode);
        lab.set("FAULTY_TOKEN_AT", "3");
        lab.sign("in", "out").fails(4, &texts);
        no_output(&lab);
        lab.sign("in", "out").fails(2, &["is not finished", "ceremony resume"]);
        lab.set("FAULTY_TOKEN_MODE", "none");
        lab.resume().ok();
        lab.keyrite("verify out --root root/authorities/root-ca.crt").ok();
    }
}

#[test]
fn ledger_of_another_token() {
    let lab = ready();
    lab.run(
        "softhsm2-util",
        &["--init-token", "--free", "--label", "second", "--pin", PIN, "--so-pin", "1234"],
    )
    .ok();
    lab.ceremony("sign.toml", "--in in --out out --token-label second")
        .fails(3, &["the ledger says it is in the token with serial", "this one has serial"]);
    no_output(&lab);
}

#[test]
fn other_key_with_the_same_id_is_not_used() {
    let lab = ready();
    let inspect: serde_json::Value =
        serde_json::from_str(&lab.keyrite("token inspect --hsm hsm.toml --pin-file pin --json").ok().out)
            .unwrap();
    let id = inspect["objects"].as_array().unwrap().iter().find(|o| o["label"] == "root-ca").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let tool = |more: &[&str]| {
        let mut arguments = vec!["--module", SOFTHSM, "--token-label", "lab", "--login", "--pin", PIN];
        arguments.extend(more);
        lab.run("pkcs11-tool", &arguments)
    };
    tool(&["--delete-object", "--type", "privkey", "--id", &id]).ok();
    lab.sign("in", "out").fails(3, &["0 objects with the ID"]);
    tool(&["--keypairgen", "--key-type", "EC:prime256v1", "--label", "root-ca", "--id", &id]).ok();
    let ran = lab.sign("in", "out");
    assert_eq!(ran.code, 3, "{ran:?}");
    no_output(&lab);
}

/// The HSM profile decides who hashes: SoftHSM hashes for RSA, but not for ECDSA.
#[test]
fn hashing_in_the_token() {
    let lab = Lab::new();
    let profile = lab.read("hsm.toml");
    lab.write("hsm.toml", format!("{profile}hash = \"token\"\n"));
    lab.write("profiles.toml", support::PROFILES);
    let script = support::root_script("rsa-3072");
    lab.write("root.toml", &script[..script.find("[[step]]\nact = \"create-manifest-key\"").unwrap()]);
    lab.ceremony("root.toml", "").ok();
    let lab = Lab::new();
    lab.write("hsm.toml", format!("{profile}hash = \"token\"\n"));
    lab.write_root_script();
    lab.ceremony("root.toml", "--out out")
        .fails(3, &["CKR_MECHANISM_INVALID (0x00000070)", "ceremony resume"]);
}

/// By default a script refuses what could see the PIN, before a ceremony begins; a rehearsal only reports it.
#[test]
fn observers_of_the_pin() {
    let script = support::root_script("ecdsa-p256").replace("observers = \"report\"\n", "");
    let ready = || {
        let lab = Lab::new();
        lab.write_root_script();
        lab.write("root.toml", &script);
        lab
    };
    let refused = |lab: &Lab, texts: &[&str]| {
        lab.ceremony("root.toml", "--out out").fails(1, texts);
        no_output(lab);
        assert!(!lab.path("ledger").exists(), "a ceremony began");
    };
    for (variable, value, what) in [
        ("PKCS11SPY", support::SOFTHSM, "has a PKCS#11 spy log every call, PINs included"),
        ("PKCS11SPY_OUTPUT", "spied", "log every call"),
        ("P11_KIT_DEBUG", "all", "has p11-kit log calls"),
        ("LD_PRELOAD", "libc.so.6", "loads code into this program"),
        ("LD_AUDIT", "", "loads code into this program"),
    ] {
        let mut lab = ready();
        lab.set(variable, value);
        refused(&lab, &[&format!("{variable}: "), what, "unset it", "observers = \"report\""]);
        assert!(!lab.path("spied").exists());
    }
    // The spy of OpenSC, and the same behind a link.
    let spy = ["x86_64", "aarch64"].map(|cpu| format!("/usr/lib/{cpu}-linux-gnu/pkcs11-spy.so"));
    let spy =
        spy.iter().find(|path| std::path::Path::new(path).exists()).expect("opensc-pkcs11 is not installed");
    let mut lab = ready();
    let module =
        |lab: &Lab, path: &str| lab.write("hsm.toml", format!("name = \"spied\"\nmodule = [\"{path}\"]\n"));
    module(&lab, spy);
    refused(&lab, &["pkcs11-spy.so: logs or passes on every call", "name the token's own module"]);
    lab.run("ln", &["-s", spy, "harmless.so"]).ok();
    module(&lab, lab.path("harmless.so").to_str().unwrap());
    refused(&lab, &["harmless.so: logs or passes on every call"]);
    lab.set("PKCS11SPY", support::SOFTHSM);
    lab.ceremony("root.toml", "--out show --rehearsal").ok();
}

/// By default a script refuses a machine on a network; a rehearsal only reports it.
#[test]
fn active_network() {
    let lab = Lab::new();
    lab.write_root_script();
    let script = support::root_script("ecdsa-p256").replace("network = \"report\"\n", "");
    lab.write("root.toml", script);
    let up = std::fs::read_dir("/sys/class/net").unwrap().flatten().any(|entry| {
        let flags = std::fs::read_to_string(entry.path().join("flags")).unwrap_or_default();
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(0);
        flags & 1 == 1 && flags & 8 == 0
    });
    if up {
        lab.ceremony("root.toml", "--out out").fails_somehow(1, &["network up: ", "the script allows none"]);
        no_output(&lab);
        assert!(!lab.path("ledger").exists(), "a ceremony began");
    }
    // A machine with unknown interfaces may have an active one.
    let hidden = format!(
        "mount -t tmpfs tmpfs /sys && exec {} ceremony run root.toml --hsm hsm.toml --ledger hidden --answers {}/ceremony/answers-accept.toml --pin-file pin --out out",
        env!("CARGO_BIN_EXE_keyrite"),
        support::repository().display()
    );
    lab.run("unshare", &["--mount", "sh", "-c", &hidden])
        .fails(1, &["network up: unknown (/sys/class/net cannot be read), but the script allows none"]);
    no_output(&lab);
    let lab2 = Lab::new();
    lab2.write_root_script();
    lab2.write("root.toml", lab.read("root.toml"));
    lab2.ceremony("root.toml", "--out show --rehearsal").ok();
}
