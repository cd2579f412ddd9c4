//! Loads every file of the configuration and gathers the mistakes of all of them.
//!
//! Must not know when it is called: watching and swapping are others' work.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use series::rule::Group;

use super::{Config, Diagnostic, Sources, files, targets};

/// What to do where no rules are found.
const RULES_HINT: &str = "put rule files there, or name them by `--rules.file`; for no rules write a file with `groups: []`";

/// What a configuration holds, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The targets.
    pub targets: usize,
    /// The modules, the built-in ones included.
    pub modules: usize,
    /// The rule groups.
    pub groups: usize,
    /// The rules of all groups.
    pub rules: usize,
    /// The files read.
    pub files: usize,
}

impl Config {
    /// Reads and checks all files.
    ///
    /// # Errors
    /// Every mistake of every file.
    pub fn load(sources: &Sources) -> Result<Self, Vec<Diagnostic>> {
        let mut errors = Vec::new();
        let mut config = Self {
            targets: Vec::new(),
            modules: BTreeMap::new(),
            unsupported_modules: BTreeMap::new(),
            rules: Vec::new(),
            files: Vec::new(),
            warnings: Vec::new(),
        };
        config.load_modules(sources, &mut errors);
        config.load_targets(sources, &mut errors);
        config.load_rules(sources, &mut errors);
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }

    /// What was loaded, in numbers.
    pub fn summary(&self) -> Summary {
        Summary {
            targets: self.targets.len(),
            modules: self.modules.len(),
            groups: self.rules.len(),
            rules: self.rules.iter().map(|group| group.rules.len()).sum(),
            files: self.files.len(),
        }
    }

    fn read(&mut self, path: &Path, errors: &mut Vec<Diagnostic>) -> Option<String> {
        self.files.push(path.to_path_buf());
        files::read_text(path).map_err(|error| errors.push(error)).ok()
    }

    fn load_modules(&mut self, sources: &Sources, errors: &mut Vec<Diagnostic>) {
        let builtin = probe::Module::builtin();
        self.modules = builtin.into_iter().map(|(name, module)| (name, Arc::new(module))).collect();
        let path = &sources.modules;
        if !sources.modules_required && fs::symlink_metadata(path).is_err() {
            return;
        }
        let Some(text) = self.read(path, errors) else { return };
        match probe::parse_modules(&text) {
            Ok(modules) => {
                let usable = modules.usable.into_iter();
                self.modules.extend(usable.map(|(name, module)| (name, Arc::new(module))));
                // A module of the file takes the place of a built-in one also when it cannot be used.
                self.modules.retain(|name, _| !modules.unsupported.contains_key(name));
                self.unsupported_modules = modules.unsupported;
                self.warnings.extend(self.unsupported_modules.iter().map(|(module, why)| {
                    Diagnostic::of_file(
                        path,
                        format!("the module `{module}` is left out: {why}"),
                        None,
                    )
                }));
            }
            Err(problems) => errors.extend(
                problems.into_iter().map(|problem| Diagnostic::located(path, &text, problem)),
            ),
        }
    }

    fn load_targets(&mut self, sources: &Sources, errors: &mut Vec<Diagnostic>) {
        // Targets of modules that are themselves broken must not be called unknown.
        let modules_known = errors.is_empty();
        let mut seen = HashMap::new();
        for pattern in &sources.targets {
            for path in matching(pattern, targets::EXAMPLE, errors) {
                if self.files.contains(&path) {
                    continue;
                }
                if fs::symlink_metadata(&path).is_err() {
                    self.files.push(path.clone());
                    errors.push(Diagnostic::of_file(
                        &path,
                        "the targets file is missing",
                        Some(targets::EXAMPLE.to_owned()),
                    ));
                    continue;
                }
                let Some(text) = self.read(&path, errors) else { continue };
                let mut reading = targets::Reading {
                    path: &path,
                    sources,
                    modules: &self.modules,
                    unsupported: &self.unsupported_modules,
                    modules_known,
                    seen: &mut seen,
                    targets: &mut self.targets,
                    problems: Vec::new(),
                };
                reading.read(&text);
                let problems = reading.problems;
                errors.extend(
                    problems.into_iter().map(|problem| Diagnostic::located(&path, &text, problem)),
                );
            }
        }
    }

    fn load_rules(&mut self, sources: &Sources, errors: &mut Vec<Diagnostic>) {
        let patterns = sources.rules.iter();
        let paths = patterns.flat_map(|pattern| matching(pattern, RULES_HINT, errors));
        for path in paths.collect::<Vec<_>>() {
            // Patterns may overlap; a file counts once.
            if self.files.contains(&path) {
                continue;
            }
            let Some(text) = self.read(&path, errors) else { continue };
            match series::rule::load(&text) {
                Ok(series::rule::Loaded { groups, warnings }) => {
                    let file = path.display().to_string();
                    self.rules.extend(
                        groups.into_iter().map(|group| Group { file: file.clone(), ..group }),
                    );
                    let warnings = warnings.into_iter();
                    self.warnings
                        .extend(warnings.map(|warning| Diagnostic::located(&path, &text, warning)));
                }
                Err(problems) => {
                    errors.extend(
                        problems
                            .into_iter()
                            .map(|problem| Diagnostic::located(&path, &text, problem)),
                    );
                }
            }
        }
    }
}

/// The files of a path or pattern. A pattern that fits to no file is a mistake: a folder that was emptied, or not mounted, must
/// not end what runs.
fn matching(pattern: &str, hint: &str, errors: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    match files::expand(pattern) {
        Ok(paths) => {
            if paths.is_empty() {
                let hint = Some(hint.to_owned());
                errors.push(Diagnostic::of_file(Path::new(pattern), "no file matches", hint));
            }
            paths
        }
        Err(error) => {
            errors.push(error);
            Vec::new()
        }
    }
}
