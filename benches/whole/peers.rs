//! Alternatives, on the same token and the same requests.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::support::{Lab, PIN, SOFTHSM, walk};

pub const WHAT_EACH_CHECKS: &str = "
What each checks for a certificate:

| tool | request's signature | key strength | names | own signature | on disk before the next |
|---|---|---|---|---|---|
| keyrite | yes | yes | against the roster | yes | ledger, synced before and after |
| openssl ca | yes; a bad one is passed over, exit 0 | no | subject policy | no | never synced |
| openssl x509 -req | yes | no | no | no | never synced |
| certtool | yes | no | no | no | never synced |
| strongSwan pki | no | no | no | no | never synced |
";

/// One certificate with strongSwan's pki.
const PKI: &str = "echo $PIN | pki --issue --type pkcs10 --in $c --cacert root/authorities/root-ca.crt --cakeyid $(cat cakeyid) --outform pem > peer.crt";

/// Configurations of the other tools.
pub struct Peers {
    key: String,
    pki: bool,
}

impl Peers {
    pub fn new(lab: &Lab) -> Self {
        let engines = lab.run("openssl", &["version", "-e"]).ok().out;
        let engines = engines.split('"').nth(1).expect("engines").to_owned();
        lab.write("engine.cnf", format!("openssl_conf = init\n[init]\nengines = engines\n[engines]\npkcs11 = p11\n[p11]\nengine_id = pkcs11\ndynamic_path = {engines}/pkcs11.so\nMODULE_PATH = {SOFTHSM}\ninit = 0\n"));
        lab.write("leaf.cnf", "[v3_leaf]\nbasicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = serverAuth\n");
        lab.write(
            "certtool.cnf",
            "expiration_days = 365\nsigning_key\ntls_www_server\nhonor_crq_ext = 2.5.29.17\n",
        );
        lab.write("strongswan.cnf", format!("pki {{ load = pem pkcs1 pkcs8 x509 pubkey openssl random nonce pkcs11 }}\nlibstrongswan {{ plugins {{ pkcs11 {{ modules {{ softhsm {{ path = {SOFTHSM} }} }} }} }} }}\n"));
        let mut peers =
            Self { key: format!("pkcs11:token=lab;object=root-ca;type=private;pin-value={PIN}"), pki: false };
        let id = "pkcs11-tool --module \"$MODULE\" --token-label lab --login --pin \"$PIN\" -O --type privkey | awk '/label:/ {l = $2} /ID:/ {if (l == \"root-ca\") print $2}' > cakeyid";
        peers.timed(lab, id);
        peers.pki =
            peers.command(lab, &PKI.replace("$c", "one/web/0000000.csr")).status().is_ok_and(|s| s.success());
        if !peers.pki {
            super::table::say("strongSwan pki is not timed: it is not there, or it fails at this token");
        }
        peers
    }

    /// Returns seconds of one `openssl ca` for a whole bundle.
    pub fn openssl_ca(&self, lab: &Lab, bundle: &str, folder: &str) -> f64 {
        lab.write(&format!("{folder}/index.txt"), "");
        lab.write(&format!("{folder}/new/.keep"), "");
        lab.write(&format!("{folder}/ca.cnf"), format!("[ca]\ndefault_ca = c\n[c]\ndir = {folder}\ndatabase = {folder}/index.txt\nnew_certs_dir = {folder}/new\nrand_serial = yes\ndefault_md = sha256\ndefault_days = 365\nunique_subject = no\npolicy = p\ncopy_extensions = copy\nx509_extensions = v3_leaf\ncertificate = root/authorities/root-ca.crt\n[p]\ncommonName = supplied\n[v3_leaf]\nbasicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = serverAuth\n"));
        let script = format!(
            "exec openssl ca -config {folder}/ca.cnf -batch -notext -engine pkcs11 -keyform engine -keyfile \"$KEY\" -infiles {bundle}/web/*.csr"
        );
        let seconds = self.timed(lab, &script);
        let made = walk(&lab.path(&format!("{folder}/new"))).len() - 1;
        assert_eq!(made, walk(&lab.path(bundle)).len(), "openssl ca");
        seconds
    }

    /// Returns seconds of `openssl x509 -req` for each request of a bundle.
    pub fn openssl_x509(&self, lab: &Lab, bundle: &str) -> f64 {
        self.timed(lab, &each(bundle, "openssl x509 -req -in $c -CA root/authorities/root-ca.crt -engine pkcs11 -CAkeyform engine -CAkey \"$KEY\" -copy_extensions copy -extfile leaf.cnf -extensions v3_leaf -out peer.crt"))
    }

    /// Returns seconds of each tool that is started once per request.
    pub fn one_by_one(&self, lab: &Lab, bundle: &str) -> Vec<(&'static str, f64)> {
        let mut all = vec![("openssl x509 -req", self.openssl_x509(lab, bundle))];
        let certtool = each(
            bundle,
            &format!(
                "certtool --provider {SOFTHSM} --generate-certificate --load-request $c --load-ca-certificate root/authorities/root-ca.crt --load-ca-privkey 'pkcs11:token=lab;object=root-ca;type=private' --template certtool.cnf --hash SHA256 --outfile peer.crt"
            ),
        );
        all.push(("certtool", self.timed(lab, &certtool)));
        if self.pki {
            all.push(("strongSwan pki", self.timed(lab, &each(bundle, PKI))));
        }
        all
    }

    fn command(&self, lab: &Lab, script: &str) -> Command {
        let mut command = lab.command("sh", &["-ec", script]);
        command.env("OPENSSL_CONF", "engine.cnf").env("KEY", &self.key).env("GNUTLS_PIN", PIN);
        command.env("STRONGSWAN_CONF", "strongswan.cnf").env("PIN", PIN).env("MODULE", SOFTHSM);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn timed(&self, lab: &Lab, script: &str) -> f64 {
        let mut command = self.command(lab, script);
        let start = Instant::now();
        let status = command.status().expect("sh");
        let seconds = start.elapsed().as_secs_f64();
        assert!(status.success(), "{script}");
        seconds
    }
}

fn each(bundle: &str, command: &str) -> String {
    format!("for c in {bundle}/web/*.csr; do {command}; done")
}
