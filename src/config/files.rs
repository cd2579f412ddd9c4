//! From paths and patterns to the text of files, bounded and never blocking.
//!
//! Must not know what the files say.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use notation::Diagnostic;

/// Finds the files of a path or pattern, sorted. `*` and `?` stand for characters of one path component; names that begin with
/// a dot need a dot in the pattern. A path without them is returned as it is, whether the file exists or not.
///
/// # Errors
/// When a directory is there and cannot be read: that it has no such file must not be concluded.
pub(super) fn expand(pattern: &str) -> Result<Vec<PathBuf>, Diagnostic> {
    if !pattern.contains(['*', '?']) {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let mut found = vec![PathBuf::new()];
    for component in Path::new(pattern).components() {
        let name = component.as_os_str().to_string_lossy();
        if name.contains(['*', '?']) {
            let mut deeper = Vec::new();
            for directory in &found {
                deeper.extend(entries(directory, &name)?);
            }
            found = deeper;
        } else {
            for path in &mut found {
                path.push(component);
            }
        }
    }
    // What is there and cannot be looked at is kept: reading it says why it cannot be read.
    found.retain(|path| match fs::metadata(path) {
        Ok(metadata) => !metadata.is_dir(),
        Err(error) => !is_missing(&error),
    });
    found.sort();
    Ok(found)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn entries(directory: &Path, pattern: &str) -> Result<Vec<PathBuf>, Diagnostic> {
    let place = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let entries = match fs::read_dir(place).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(place, "directory", &error)),
    };
    Ok(entries
        .into_iter()
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.starts_with('.') == pattern.starts_with('.') && matches(pattern, &name)
        })
        .map(|entry| directory.join(entry.file_name()))
        .collect())
}

/// Why a file or directory cannot be read, and what to do about it.
fn unreadable(path: &Path, what: &str, error: &io::Error) -> Diagnostic {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "create the file, or name another one by its flag",
        io::ErrorKind::PermissionDenied => "let the user that runs the program read it",
        _ => "look at the path",
    };
    Diagnostic::new(format!("cannot read the {what}: {error}")).hint(hint).of_file(path)
}

/// Whether the name fits the pattern: the last `*` is widened when the rest does not fit, so time is at most quadratic.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || name.get(read) == Some(wanted) => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                at = place + 1;
                read = taken + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

/// Reads a regular file of at most 16 MiB of UTF-8.
///
/// # Errors
/// Why it cannot be read, with what to do about it.
pub fn read_text(path: &Path) -> Result<String, Diagnostic> {
    let bytes = read_bytes(path)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = String::from_utf8_lossy(valid).matches('\n').count() + 1;
        Diagnostic::new(format!("line {line} is not UTF-8"))
            .hint("save the file as UTF-8")
            .of_file(path)
    })
}

/// The file's bytes. Its kind is looked at before it is opened: opening a FIFO would wait for a writer.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    let failed = |error: io::Error| unreadable(path, "file", &error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        let hint =
            metadata.is_dir().then(|| format!("name its files, as in `{}/*.yml`", path.display()));
        return Err(Diagnostic { hint, ..Diagnostic::new("not a regular file").of_file(path) });
    }
    if metadata.len() > yaml::TEXT_BYTES_MAX as u64 {
        let message = format!("longer than {} MiB", yaml::TEXT_BYTES_MAX / 1024 / 1024);
        let hint = "split it into several files";
        return Err(Diagnostic::new(message).hint(hint).of_file(path));
    }
    fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        let cases = [
            ("*.yml", "a.yml", true),
            ("*.yml", "a.yaml", false),
            ("a?c", "abc", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b", "a", false),
            ("*", "", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn only_regular_files_of_utf8_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.yml");
        assert!(read_text(directory.path()).unwrap_err().message.contains("not a regular file"));
        assert!(read_text(&path).unwrap_err().message.contains("cannot read"));
        fs::write(&path, b"a\n\xff\n").unwrap();
        assert_eq!(read_text(&path).unwrap_err().message, "line 2 is not UTF-8");
        fs::write(directory.path().join("b.yml"), "").unwrap();
        let pattern = format!("{}/*.yml", directory.path().display());
        assert_eq!(expand(&pattern).unwrap(), [path, directory.path().join("b.yml")]);
    }

    #[test]
    fn a_directory_that_cannot_be_read_is_not_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        let pattern = |name: &str| format!("{}/{name}/*.yml", directory.path().display());
        fs::write(directory.path().join("file"), "").unwrap();
        assert_eq!(expand(&pattern("missing")).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(expand(&pattern("file")).unwrap(), Vec::<PathBuf>::new());
        // Not even root reads a link to itself.
        let circle = directory.path().join("circle");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        let mistake = expand(&pattern("circle")).unwrap_err();
        assert_eq!(mistake.path.as_ref(), Some(&circle));
        assert!(mistake.message.starts_with("cannot read the directory: "), "{mistake}");
        std::os::unix::fs::symlink(&circle, directory.path().join("a.yml")).unwrap();
        std::os::unix::fs::symlink("gone", directory.path().join("b.yml")).unwrap();
        let found = expand(&format!("{}/*.yml", directory.path().display())).unwrap();
        assert_eq!(
            found,
            [directory.path().join("a.yml")],
            "reading it says why it cannot be read"
        );
        assert!(read_text(&found[0]).unwrap_err().message.starts_with("cannot read the file: "));
    }
}
