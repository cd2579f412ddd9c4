//! Loads every file of the configuration and gathers the mistakes of all of them.
//!
//! Must not know when it is called: watching and swapping are done elsewhere.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use notation::{Diagnostic, duration};
use series::rule::Group;

use super::{
    Config, INTERVAL_MAX, INTERVAL_MAX_REASON, Sources, dependency, files, identity::Seen, targets,
};

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
                    Diagnostic::new(format!("the module `{module}` is left out: {why}"))
                        .of_file(path)
                }));
            }
            Err(mistakes) => errors.extend(in_file(path, &text, mistakes)),
        }
    }

    fn load_targets(&mut self, sources: &Sources, errors: &mut Vec<Diagnostic>) {
        // Targets of modules that are themselves broken must not be called unknown.
        let modules_known = errors.is_empty();
        let mut seen = Seen::default();
        let mut dependencies = Vec::new();
        let mut read: Vec<(PathBuf, String, Vec<Diagnostic>)> = Vec::new();
        if sources.interval > INTERVAL_MAX && !sources.targets.is_empty() {
            let message = format!(
                "the interval {} of --scrape.interval is longer than 4m",
                duration::written(sources.interval)
            );
            let hint = format!("shorten it: {INTERVAL_MAX_REASON}");
            let files = sources.targets.join(", ");
            errors.push(Diagnostic::new(message).hint(hint).of_file(Path::new(&files)));
        }
        for path in self.target_files(sources, errors) {
            let Some(text) = self.read(&path, errors) else { continue };
            let mut reading = targets::Reading {
                path: &path,
                sources,
                modules: &self.modules,
                unsupported: &self.unsupported_modules,
                modules_known,
                seen: &mut seen,
                targets: &mut self.targets,
                dependencies: &mut dependencies,
                file: read.len(),
                mistakes: Vec::new(),
                warnings: Vec::new(),
            };
            reading.read(&text);
            let targets::Reading { mistakes, warnings, .. } = reading;
            self.warnings.extend(in_file(&path, &text, warnings));
            read.push((path, text, mistakes));
        }
        // What a file depends on may be in another, and targets of a broken one must not be called missing.
        if read.iter().all(|(_, _, mistakes)| mistakes.is_empty()) && errors.is_empty() {
            let services = self.targets.iter().filter_map(|target| target.labels.get("service"));
            let services = services.map(str::to_owned).collect();
            for (file, mistake) in dependency::mistakes(&dependencies, &services) {
                if let Some((_, _, mistakes)) = read.get_mut(file) {
                    mistakes.push(mistake);
                }
            }
        }
        for (path, text, mistakes) in read {
            errors.extend(in_file(&path, &text, mistakes));
        }
    }

    /// The targets files, each once; those that are not there are mistakes.
    fn target_files(&mut self, sources: &Sources, errors: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = Vec::new();
        for pattern in &sources.targets {
            for path in matching(pattern, targets::EXAMPLE, errors) {
                if self.files.contains(&path) || found.contains(&path) {
                    continue;
                }
                if fs::symlink_metadata(&path).is_err() {
                    self.files.push(path.clone());
                    let missing = Diagnostic::new("the targets file is missing");
                    errors.push(missing.hint(targets::EXAMPLE).of_file(&path));
                    continue;
                }
                found.push(path);
            }
        }
        found
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
                    self.warnings.extend(in_file(&path, &text, warnings));
                }
                Err(mistakes) => errors.extend(in_file(&path, &text, mistakes)),
            }
        }
    }
}

/// The diagnostics of a text, as those of the file that it is.
fn in_file(
    path: &Path,
    text: &str,
    diagnostics: Vec<Diagnostic>,
) -> impl Iterator<Item = Diagnostic> {
    diagnostics.into_iter().map(move |diagnostic| diagnostic.in_file(path, text))
}

/// The files of a path or pattern. A pattern that fits to no file is a mistake: a folder that was emptied, or not mounted, must
/// not end what runs.
fn matching(pattern: &str, hint: &str, errors: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    match files::expand(pattern) {
        Ok(paths) => {
            if paths.is_empty() {
                let none = Diagnostic::new("no file matches").hint(hint);
                errors.push(none.of_file(Path::new(pattern)));
            }
            paths
        }
        Err(error) => {
            errors.push(error);
            Vec::new()
        }
    }
}
