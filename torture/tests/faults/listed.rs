//! `FAULTS.md` against the tests that there are: a fault without its test, and a test without its fault.

use std::collections::BTreeSet;
use std::path::Path;

/// The tests in some sources, by module.
fn tests_of(module: &str, source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in source.lines() {
        is_test |= line == "#[test]";
        if let Some((name, _)) = line.strip_prefix("fn ").and_then(|rest| rest.split_once('('))
            && std::mem::take(&mut is_test)
        {
            tests.push(format!("{module}::{name}"));
        }
    }
    tests
}

#[test]
fn the_page_names_every_test_and_no_other() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for entry in std::fs::read_dir(here.join("tests/faults")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        tests.extend(tests_of(&module, &std::fs::read_to_string(path).unwrap()));
    }
    assert!(tests.len() > 30, "{tests:?}");
    let page = std::fs::read_to_string(here.join("FAULTS.md")).unwrap();
    let quoted = page.split('`').skip(1).step_by(2).filter(|name| name.contains("::"));
    let named: BTreeSet<String> = quoted.map(str::to_owned).collect();
    assert_eq!(named.difference(&tests).collect::<Vec<_>>(), Vec::<&String>::new(), "no such test");
    assert_eq!(tests.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "not on the page");
    // Those elsewhere, with their file: "`name` in `path`".
    for part in page.split("` in `").collect::<Vec<_>>().windows(2) {
        let (Some((_, name)), Some((path, _))) = (part[0].rsplit_once('`'), part[1].split_once('`')) else {
            panic!("{part:?}")
        };
        let source = std::fs::read_to_string(here.join("..").join(path)).unwrap();
        assert!(source.contains(&format!("fn {name}(")), "{name} is not in {path}");
    }
}
