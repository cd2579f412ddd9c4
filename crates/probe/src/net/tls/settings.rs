//! `tls_config`: whom to trust, and which certificate to present.
//!
//! What can be judged without a file is judged when the module is loaded; files are read when a probe needs them. Must not
//! know how a handshake is made.

use aws_lc_rs::digest::{SHA256, digest};
use notation::Diagnostic;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::pem;
use crate::setting::Secret;

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(crate) enum TlsVersion {
    /// TLS 1.0, which is not spoken: as a lower bound it means TLS 1.2.
    #[serde(rename = "TLS10")]
    Tls10,
    /// TLS 1.1, which is not spoken: as a lower bound it means TLS 1.2.
    #[serde(rename = "TLS11")]
    Tls11,
    /// TLS 1.2.
    #[serde(rename = "TLS12")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "TLS13")]
    Tls13,
}

/// The SHA-256 of a certificate, in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Fingerprint(pub(crate) String);

impl TryFrom<String> for Fingerprint {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        let digits: String = text.chars().filter(|character| *character != ':').collect();
        if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(digits.to_ascii_lowercase()))
        } else {
            Err(Diagnostic::new(format!(
                "`{text}` is not the SHA-256 fingerprint of a certificate"
            ))
            .hint(
                "write the 64 hexadecimal digits that \
                 `openssl x509 -noout -fingerprint -sha256` prints, with or without colons",
            ))
        }
    }
}

/// `tls_config`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub(crate) struct TlsSettings {
    /// Trusted authorities in PEM, instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
    /// The same in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<String>,
    /// The client certificate in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cert: Option<String>,
    /// The same in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cert_file: Option<String>,
    /// Its private key in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Secret>,
    /// The same in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<String>,
    /// The name to ask for and to verify, instead of the target's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_name: Option<String>,
    /// Whether the certificate is taken as it is.
    pub(crate) insecure_skip_verify: bool,
    /// The lowest version to offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_version: Option<TlsVersion>,
    /// The highest version to offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_version: Option<TlsVersion>,
    /// The only certificates to take, whoever issued them and for whatever name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fingerprint_sha256: Vec<Fingerprint>,
    /// A file of revocation lists of the authorities, in PEM or one in DER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crl_file: Option<String>,
    /// Equal settings have equal ones: what finds a configuration that was built of them before.
    #[serde(skip)]
    pub(crate) identity: [u8; 32],
}

impl<'de> Deserialize<'de> for TlsSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut settings = Self::deserialize(deserializer)?;
        settings.forget_empty();
        settings.check().map_err(D::Error::custom)?;
        settings.check_pem().map_err(D::Error::custom)?;
        settings.identity = settings.digest();
        Ok(settings)
    }
}

impl Serialize for TlsSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl TlsSettings {
    /// An empty text counts as missing, as for `blackbox_exporter`: templates write empty texts.
    fn forget_empty(&mut self) {
        let texts = [
            &mut self.ca,
            &mut self.ca_file,
            &mut self.cert,
            &mut self.cert_file,
            &mut self.key_file,
            &mut self.server_name,
            &mut self.crl_file,
        ];
        for text in texts {
            text.take_if(|text| text.is_empty());
        }
        self.key.take_if(|key| key.0.is_empty());
    }

    /// What keys contradict each other.
    fn check(&self) -> Result<(), Diagnostic> {
        let pairs = [
            ("ca", self.ca.is_some(), self.ca_file.is_some()),
            ("cert", self.cert.is_some(), self.cert_file.is_some()),
            ("key", self.key.is_some(), self.key_file.is_some()),
        ];
        for (name, inline, file) in pairs {
            if inline && file {
                return Err(Diagnostic::new(format!(
                    "`{name}` and `{name}_file` say the same thing twice"
                ))
                .hint("keep one of them"));
            }
        }
        let certificate = self.cert.is_some() || self.cert_file.is_some();
        let key = self.key.is_some() || self.key_file.is_some();
        match (certificate, key) {
            (true, false) => {
                return Err(Diagnostic::new("a certificate without its key")
                    .hint("add `key` or `key_file`"));
            }
            (false, true) => {
                return Err(Diagnostic::new("a key without its certificate")
                    .hint("add `cert` or `cert_file`"));
            }
            _ => {}
        }
        if let Some(highest) = self.max_version {
            if highest < TlsVersion::Tls12 {
                return Err(Diagnostic::new(
                    "`max_version` is below TLS12, and older versions are not spoken any more",
                )
                .hint("remove it"));
            }
            if self.min_version.is_some_and(|lowest| lowest > highest) {
                return Err(Diagnostic::new("`min_version` is above `max_version`"));
            }
        }
        // Only this program has these keys: one that nothing would come of is a misunderstanding.
        let idle = [
            ("insecure_skip_verify", self.insecure_skip_verify),
            ("ca", self.ca.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("crl_file", self.crl_file.is_some()),
        ];
        if !self.fingerprint_sha256.is_empty()
            && let Some((name, _)) = idle.iter().find(|(_, set)| *set)
        {
            return Err(Diagnostic::new(format!("`fingerprint_sha256` names the only certificates to take, so that `{name}` means nothing")).hint("remove \
                 one of them"));
        }
        if self.crl_file.is_some() && self.insecure_skip_verify {
            return Err(Diagnostic::new(
                "`insecure_skip_verify` takes any certificate, so that `crl_file` means nothing",
            )
            .hint("remove one of them"));
        }
        Ok(())
    }

    /// Whether what stands in the settings themselves is PEM of its kind.
    fn check_pem(&self) -> Result<(), String> {
        let key = self.key.as_ref().map(|key| key.0.as_str());
        pem::check(self.ca.as_deref(), self.cert.as_deref(), key)
    }

    /// Of everything that the settings say, secrets included; all zero for none.
    fn digest(&self) -> [u8; 32] {
        let key = self.key.as_ref().map(|key| key.0.as_str());
        let shown = serde_json::json!([Shown(self), key]).to_string();
        digest(&SHA256, shown.as_bytes()).as_ref().try_into().unwrap_or_default()
    }
}

/// The settings as they are shown.
struct Shown<'a>(&'a TlsSettings);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TlsSettings::serialize(self.0, serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TlsSettings, String> {
        yaml::parse(text).map_err(|problems| format!("{problems:?}"))
    }

    #[test]
    fn what_cannot_work_is_refused_when_it_is_loaded() {
        let one = "11".repeat(32);
        for (text, needle) in [
            ("{ ca: no PEM }", "`ca` holds no certificate in PEM format"),
            ("{ cert: no PEM, key: hunter2 }", "`cert` holds no certificate"),
            ("{ key: hunter2, cert_file: client.pem }", "`key` holds no private key"),
            ("{ ca: x, ca_file: y }", "`ca` and `ca_file` say the same thing twice"),
            ("{ cert_file: x }", "a certificate without its key"),
            ("{ key_file: x }", "a key without its certificate"),
            ("{ max_version: TLS11 }", "`max_version` is below TLS12"),
            ("{ min_version: TLS13, max_version: TLS12 }", "`min_version` is above `max_version`"),
            ("{ min_version: SSL30 }", "TLS10"),
            ("{ fingerprint_sha256: [abc] }", "is not the SHA-256 fingerprint"),
            (
                &format!("{{ fingerprint_sha256: ['{one}'], ca_file: x }}"),
                "`ca_file` means nothing",
            ),
            ("{ crl_file: x, insecure_skip_verify: true }", "`crl_file` means nothing"),
            ("{ ca_fil: x }", "did you mean `ca_file`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(needle), "{text}: {needle} is not in {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_the_wild_has_is_accepted() {
        let pins = format!(
            "{{ fingerprint_sha256: ['{}', '{}'] }}",
            "ab".repeat(32),
            ["CD"; 32].join(":")
        );
        for text in [
            "{}",
            "{ ca_file: no/such/file, cert_file: no/such/file, key_file: no/such/file }",
            "{ ca: '', ca_file: ca.pem, cert: '', key: '', server_name: '' }",
            "{ min_version: TLS10, insecure_skip_verify: false }",
            "{ min_version: TLS12, max_version: TLS13 }",
            &pins,
        ] {
            read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        let pins = read(&pins).unwrap().fingerprint_sha256;
        assert_eq!([&*pins[0].0, &*pins[1].0], ["ab".repeat(32), "cd".repeat(32)]);
    }

    #[test]
    fn equal_settings_have_equal_identities() {
        let identity = |text| read(text).unwrap().identity;
        assert_eq!(identity("{ server_name: a }"), identity("{ server_name: a, ca: '' }"));
        assert_ne!(identity("{ server_name: a }"), identity("{ server_name: b }"));
        assert_ne!(identity("{ server_name: a }"), identity("{ ca_file: a }"));
    }
}
