//! A module: a named check with its settings, as in the modules file (`modules:` of `blackbox.yml`).
//!
//! Must not know where the file is.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use notation::{Diagnostic, Position, did_you_mean};
use serde::Deserialize;

use crate::{
    context::ProbeContext,
    kinds::{self, Check, KINDS, KINDS_NOT_YET, RawModule},
    net::Net,
    report::ProbeResult,
    target::Target,
};

/// The modules of a file.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    /// Those that can be used, by name.
    pub usable: BTreeMap<String, Module>,
    /// Those that `blackbox_exporter` has and this build does not: name and why. A file that holds them beside others is of
    /// use anyway.
    pub unsupported: BTreeMap<String, String>,
}

/// A named check.
#[derive(Clone, Debug)]
pub struct Module {
    name: String,
    timeout: Option<Duration>,
    check: Check,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    modules: BTreeMap<String, RawModule>,
}

/// Reads a modules file.
///
/// # Errors
/// Every mistake, with its place.
pub fn parse_modules(text: &str) -> Result<Modules, Vec<Diagnostic>> {
    let (file, mut mistakes) = yaml::read::<RawFile>(text);
    let mut modules = Modules::default();
    for (name, raw) in file.into_iter().flat_map(|file| file.modules) {
        let kind = raw.prober.as_ref().map_or("", |prober| prober.value.as_str());
        if KINDS_NOT_YET.contains(&kind) {
            let why = format!("the prober `{kind}` is not supported yet");
            modules.unsupported.insert(name, why);
            continue;
        }
        match build(&name, raw) {
            Ok(module) => match module.check.lacks() {
                Some(why) => {
                    modules.unsupported.insert(name, why.to_owned());
                }
                None => {
                    modules.usable.insert(name, module);
                }
            },
            // Without a place the file itself had mistakes that took the `prober` away, and they are known already.
            Err(found)
                if !mistakes.is_empty()
                    && found.iter().all(|mistake| mistake.position.is_none()) => {}
            Err(found) => {
                mistakes.extend(found.into_iter().map(|mistake| mistake.at(Position::START)));
            }
        }
    }
    mistakes.sort_by_key(|mistake| mistake.position);
    if mistakes.is_empty() { Ok(modules) } else { Err(mistakes) }
}

/// A module of the file, or its mistakes; those that are of no single key are reported at its `prober`.
fn build(name: &str, raw: RawModule) -> Result<Module, Vec<Diagnostic>> {
    let timeout = raw.timeout.map(|timeout| timeout.0);
    let Some(prober) = raw.prober.clone() else {
        return Err(vec![
            Diagnostic::new(format!("the module `{name}` has no `prober`")).hint(all_kinds()),
        ]);
    };
    let kind = prober.value.as_str();
    if let Some(check) = raw.into_check(kind) {
        let mistakes = check.mistakes().into_iter();
        let mistakes: Vec<Diagnostic> =
            mistakes.map(|mistake| mistake.at(prober.position)).collect();
        let module = Module { name: name.to_owned(), timeout, check };
        return if mistakes.is_empty() { Ok(module) } else { Err(mistakes) };
    }
    let hint = did_you_mean(kind, KINDS.iter().copied()).unwrap_or_else(all_kinds);
    Err(vec![Diagnostic::new(format!("unknown prober `{kind}`")).hint(hint).at(prober.position)])
}

fn all_kinds() -> String {
    format!("the kinds are {}", KINDS.join(", "))
}

impl Module {
    /// The modules that are there without any file.
    pub fn builtin() -> BTreeMap<String, Self> {
        let modules = kinds::builtin().map(|(name, kind, section)| {
            format!("  {name}: {{ prober: {kind}, {kind}: {section} }}\n")
        });
        let text: String = std::iter::once("modules:\n".to_owned()).chain(modules).collect();
        // The text is that of the kinds, and a test reads it.
        parse_modules(&text).unwrap_or_default().usable
    }

    /// The module's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its kind, as in `prober:`.
    pub fn kind(&self) -> &'static str {
        self.check.kind()
    }

    /// The module's own timeout.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// What it checks.
    pub fn check(&self) -> &Check {
        &self.check
    }

    /// Parses a target strictly, as in a targets file.
    ///
    /// # Errors
    /// When the text is not an address of the form that the module's kind wants.
    pub fn target(&self, text: &str) -> Result<Target, Diagnostic> {
        self.checked(Target::parse(text, self.check.address_form())?)
    }

    /// Parses a target as `blackbox_exporter` does: a URL without a scheme gets `http://`.
    ///
    /// # Errors
    /// As [`Module::target`].
    pub fn target_lenient(&self, text: &str) -> Result<Target, Diagnostic> {
        self.checked(Target::parse_lenient(text, self.check.address_form())?)
    }

    fn checked(&self, target: Target) -> Result<Target, Diagnostic> {
        self.check.check_target(&target).map(|()| target)
    }

    /// Gives a target another name to ask for: the Host header, and the name in TLS.
    ///
    /// # Errors
    /// When it is not a name, or the module sets another Host.
    pub fn with_hostname(&self, target: Target, hostname: &str) -> Result<Target, Diagnostic> {
        if self.check.own_hostname().is_some_and(|own| own != hostname) {
            return Err(Diagnostic::new(
                "the parameter `hostname` contradicts the Host header of the module",
            ));
        }
        target.with_hostname(hostname)
    }

    /// Probes a target once. Answers within `timeout`, or the module's own one when that is shorter.
    pub async fn probe(&self, net: &Net, target: &Target, timeout: Duration) -> ProbeResult {
        let timeout =
            self.timeout.filter(|own| !own.is_zero()).map_or(timeout, |own| own.min(timeout));
        let mut context = ProbeContext::start(net.moment(), timeout);
        context.note(format!(
            "probing {} with module {} ({})",
            target.text(),
            self.name,
            self.kind()
        ));
        let outcome = self.check.run(target, net, &mut context).await;
        context.finish(outcome, &net.moment())
    }

    /// The module as YAML, with its secrets hidden.
    pub fn to_yaml(&self) -> String {
        let mut text = format!("{}:\n  prober: {}\n", quoted(&self.name), self.kind());
        // Writing to a string cannot fail.
        if let Some(timeout) = self.timeout {
            let _infallible = writeln!(text, "  timeout: {}s", timeout.as_secs_f64());
        }
        let _infallible = write!(text, "  {}:", self.kind());
        write_yaml(&mut text, &self.check.settings(), 2);
        text
    }
}

/// Writes a value behind a key, as block YAML.
fn write_yaml(text: &mut String, value: &serde_json::Value, depth: usize) {
    use serde_json::Value;

    let indent = "  ".repeat(depth);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            text.push('\n');
            for (key, value) in entries {
                let _infallible = write!(text, "{indent}{}:", quoted(key));
                write_yaml(text, value, depth + 1);
            }
        }
        // Lists and scalars of JSON are YAML as they are.
        other => {
            let _infallible = writeln!(text, " {other}");
        }
    }
}

/// A key: plain when it is one word, quoted otherwise.
fn quoted(key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "_-".contains(character));
    if plain { key.to_owned() } else { serde_json::Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_modules_are_valid() {
        let modules = Module::builtin();
        for kind in KINDS {
            assert!(modules.values().any(|module| module.kind() == *kind), "{kind} has none");
        }
        for stock in ["http_2xx", "http_post_2xx", "tcp_connect"] {
            assert!(modules.contains_key(stock), "{stock}");
        }
    }

    #[test]
    fn a_file_of_blackbox_exporter_is_read_and_shown_without_its_secrets() {
        let text = "modules:\n  api:\n    prober: http\n    timeout: 5s\n    http:\n      method: POST\n      headers: { X-Api-Key: hunter2 }\n      body: '{}'\n      valid_status_codes: [200, 2xx, 300-399]\n      fail_if_body_not_matches_regexp: ['\"ok\"']\n      tls_config: { insecure_skip_verify: true }\n    icmp: { ttl: 5 }\n";
        let modules = parse_modules(text).unwrap();
        let shown = modules.usable["api"].to_yaml();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            shown.contains("X-Api-Key: \"<secret>\"") && shown.contains("timeout: 5s"),
            "{shown}"
        );
        // What is shown is a module again.
        let indented: Vec<String> = shown.lines().map(|line| format!("  {line}")).collect();
        let again = format!("modules:\n{}\n", indented.join("\n"));
        assert!(parse_modules(&again).is_ok(), "{again}\n{:?}", parse_modules(&again).unwrap_err());
    }

    #[test]
    fn a_host_name_given_by_the_caller_must_not_contradict_the_module() {
        let text = "modules: { own: { prober: http, http: { headers: { Host: a.example } } } }\n";
        let own = parse_modules(text).unwrap().usable.remove("own").unwrap();
        let other = Module::builtin().remove("http_2xx").unwrap();
        for (module, hostname, accepted) in
            [(&own, "a.example", true), (&own, "b.example", false), (&other, "b.example", true)]
        {
            let target = module.target("http://127.0.0.1/").unwrap();
            assert_eq!(module.with_hostname(target, hostname).is_ok(), accepted, "{hostname}");
        }
    }

    #[test]
    fn every_mistake_of_a_file_is_reported_with_its_place() {
        let text = "modules:\n  a: { prober: htp }\n  b:\n    prober: http\n    timeout: 5\n    http:\n      methd: GET\n      oauth2: {}\n      valid_status_codes: [2000]\n      fail_if_body_matches_regexp: ['(']\n  c: { prober: icmp }\n  d: { timeout: 1s }\n";
        let problems: Vec<String> =
            parse_modules(text).unwrap_err().iter().map(ToString::to_string).collect();
        let found = problems.join("\n");
        for needle in [
            "line 2 column 16: unknown prober `htp` (hint: did you mean `http`?)",
            "line 5 column 14: `5` is not a duration",
            "line 7 column 7: unknown key `methd` (hint: did you mean `method`?)",
            "line 4 column 13: `oauth2` needs a `token_url`",
            "line 9 column 28: `2000`",
            "line 10 column 37: `(` is not a regular expression",
        ] {
            assert!(found.contains(needle), "{needle} is not in\n{found}");
        }
        assert!(
            parse_modules("modules: { d: { timeout: 1s } }\n").unwrap_err()[0]
                .message
                .contains("no `prober`")
        );
        assert!(parse_modules("modules: {}\n").unwrap().usable.is_empty());
    }
}
