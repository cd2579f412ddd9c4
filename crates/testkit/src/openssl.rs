//! TLS servers that no current library would be: the `openssl` program with what it still can do.
//!
//! Must not know which verdict a client should reach about them.

use std::{
    io::{BufRead as _, BufReader, Lines},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};

use tempfile::TempDir;

/// What everything weak needs to be allowed.
const WEAK: &str = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";

/// A certificate and its key, made by `openssl`, with the authority that signed it.
#[derive(Debug)]
pub struct OpenSsl {
    folder: TempDir,
}

/// A running server; it is stopped when this is dropped.
#[derive(Debug)]
pub struct OpenSslServer {
    child: Child,
    address: SocketAddr,
    /// Kept open, because the program ends when it cannot write.
    _output: Lines<BufReader<ChildStdout>>,
    _files: Arc<OpenSsl>,
}

impl OpenSsl {
    /// Makes an authority and a certificate for `127.0.0.1` with this kind of key (`rsa:1024`) and this hash (`sha1`).
    ///
    /// # Errors
    /// Why it cannot be made, for example because there is no such program.
    pub fn new(key: &str, hash: &str) -> Result<Self, String> {
        let files = Self { folder: TempDir::new().expect("a temporary folder") };
        let folder = files.folder.path();
        std::fs::write(
            folder.join("extensions"),
            "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n",
        )
        .expect("a written file");
        let authority = "req -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 -subj /CN=Authority \
                         -keyout authority.key -out authority.pem";
        openssl(folder, authority)?;
        openssl(
            folder,
            &format!("req -newkey {key} -nodes -subj /CN=Leaf -keyout leaf.key -out leaf.csr"),
        )?;
        openssl(
            folder,
            &format!(
                "x509 -req -in leaf.csr -{hash} -days 3650 -CA authority.pem -CAkey authority.key \
                 -CAcreateserial -extfile extensions -out leaf.pem"
            ),
        )?;
        Ok(files)
    }

    /// The certificate of the authority in DER.
    ///
    /// # Errors
    /// When the program fails.
    pub fn authority(&self) -> Result<Vec<u8>, String> {
        openssl(self.folder.path(), "x509 -in authority.pem -outform DER -out authority.der")?;
        std::fs::read(self.folder.path().join("authority.der")).map_err(|error| error.to_string())
    }

    /// Starts a server that answers every HTTP request, with these arguments more, as in `-tls1_1`.
    ///
    /// # Errors
    /// When the program does not start or does not know an argument.
    pub fn serve(self: &Arc<Self>, arguments: &[&str]) -> Result<OpenSslServer, String> {
        let mut child = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-key",
                "leaf.key",
                "-cert",
                "leaf.pem",
                "-www",
            ])
            .args(if arguments.contains(&"-cipher") { &[][..] } else { &["-cipher", WEAK] })
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("openssl: {error}"))?;
        let output = child.stdout.take().expect("the output that was asked for");
        let accepts = |line: String| line.strip_prefix("ACCEPT ")?.trim().parse().ok();
        let mut lines = BufReader::new(output).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(accepts);
        let Some(address) = address else {
            let _ended = child.kill().and_then(|()| child.wait());
            return Err(format!("openssl s_server {arguments:?} does not start"));
        };
        Ok(OpenSslServer { child, address, _output: lines, _files: Arc::clone(self) })
    }
}

impl OpenSslServer {
    /// The URL of the server, by its address.
    pub fn url(&self) -> String {
        format!("https://{}/", self.address)
    }
}

impl Drop for OpenSslServer {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Runs `openssl` with arguments that hold no spaces themselves.
fn openssl(folder: &Path, arguments: &str) -> Result<(), String> {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("openssl: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
