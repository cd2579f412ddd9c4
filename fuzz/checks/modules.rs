//! What holds for any text as a modules file. Must not know how the text came about.

use probe::{Module, parse_modules};

/// A text shorter than this stands in every module, so that it cannot be known whether it was shown.
const SECRET_BYTES_MIN: usize = 8;

/// Checks a text that stands for a file, and the same text in the places that hold secrets.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parse_modules(text) {
        Ok(modules) => modules.usable.values().for_each(shown_modules_are_modules),
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            // YAML takes a lone carriage return for the end of a line, too.
            let lines = text.replace("\r\n", "\n").split(['\n', '\r']).count();
            for problem in &problems {
                let at = problem.position.unwrap();
                assert!((1..=lines).contains(&at.line), "{problem} of {lines} lines");
                assert!(at.column >= 1, "{problem}");
                assert!(!problem.message.trim().is_empty(), "{problem:?}");
            }
        }
    }
    secrets_are_not_shown(text);
}

fn file(name_and_settings: &str) -> String {
    let indented: Vec<String> =
        name_and_settings.lines().map(|line| format!("  {line}\n")).collect();
    format!("modules:\n{}", indented.concat())
}

fn shown_modules_are_modules(module: &Module) {
    let shown = module.to_yaml();
    let again = parse_modules(&file(&shown))
        .unwrap_or_else(|problems| panic!("{shown}\nis no module: {problems:?}"));
    let again = again.usable.get(module.name()).unwrap_or_else(|| panic!("another name: {shown}"));
    assert_eq!(again.kind(), module.kind(), "{shown}");
    assert_eq!(again.to_yaml(), shown);
}

fn secrets_are_not_shown(secret: &str) {
    if secret.len() < SECRET_BYTES_MIN {
        return;
    }
    let quoted: String = secret
        .chars()
        .map(|character| match character {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            character if u32::from(character) < 0x80 && !character.is_control() => {
                character.to_string()
            }
            character => format!("\\U{:08x}", u32::from(character)),
        })
        .collect();
    let file = format!(
        "modules:\n  module:\n    prober: http\n    http:\n      body: \"{quoted}\"\n      tls_config: {{ key: \"{quoted}\" }}\n"
    );
    let Ok(mut modules) = parse_modules(&file) else { return };
    if let Ok(more) = parse_modules(&format!("{file}      headers: {{ X-Key: \"{quoted}\" }}\n")) {
        modules = more;
    }
    let [module] = modules.usable.values().collect::<Vec<_>>()[..] else {
        panic!("one module, not {modules:?}")
    };
    let debug = format!("{module:?}");
    let other = parse_modules(&file.replace(&quoted, "x")).unwrap();
    let without: String =
        other.usable.values().map(|module| module.to_yaml() + &format!("{module:?}")).collect();
    if without.contains(secret) {
        return;
    }
    for shown in [module.to_yaml(), debug] {
        assert!(!shown.contains(secret), "{secret:?} is in {shown}");
        assert!(!shown.contains(&quoted), "{quoted:?} is in {shown}");
    }
}
