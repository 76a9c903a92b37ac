//! What a user may have meant who has misspelt a name.

use std::path::{Path, PathBuf};

/// The name among others for which this may be a misspelling.
pub fn nearest<T: AsRef<str>>(name: &str, others: impl IntoIterator<Item = T>) -> Option<T> {
    let distance = |other: &T| strsim::osa_distance(other.as_ref(), name);
    let nearest = others.into_iter().min_by_key(distance);
    nearest.filter(|other| distance(other) <= 1 + name.len() / 4)
}

/// The file of Python for whose path this may be a misspelling: another one in the same directory.
pub fn nearest_file(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let all = directory.unwrap_or(Path::new(".")).read_dir().ok()?.flatten();
    let files = all.map(|file| file.path()).filter(|path| {
        path.extension().is_some_and(|extension| extension == "py") && path.is_file()
    });
    let stems = files.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()));
    Some(path.with_file_name(nearest(stem, stems)? + ".py"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_slip_is_seen_and_another_name_is_not() {
        let names = ["increase", "reset", "value"];
        for slip in ["incraese", "increse", "Increase", "increases"] {
            assert_eq!(nearest(slip, names), Some("increase"), "{slip}");
        }
        assert_eq!(nearest("decrease_by", names), None);
        assert_eq!(nearest("increase", [] as [&str; 0]), None);
    }

    #[test]
    fn a_file_is_looked_for_beside_the_path() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["model.py", "modle.txt", "other.py"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        fs::create_dir(directory.path().join("modl.py")).unwrap();
        let near = |name: &str| nearest_file(&directory.path().join(name));
        assert_eq!(near("modle.py"), Some(directory.path().join("model.py")));
        assert_eq!(near("trainer.py"), None);
        assert_eq!(near("nowhere/model.py"), None);
    }
}
