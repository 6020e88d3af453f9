//! SECURITY.md names the tests that show what it promises.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_shows_a_promise_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut found = 0;
    for name in page.split('`').skip(1).step_by(2) {
        if let Some((room, test)) = name.rsplit_once("::").filter(|(_, test)| *test != "…") {
            let file = root.join("tests/it").join(room.replace("::", "/")).with_extension("rs");
            let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(text.contains(&format!("fn {test}(")), "there is no {name}");
            found += 1;
        } else if name.contains('/') && name.contains('.') {
            assert!(root.join(name).exists(), "there is no {name}");
            found += 1;
        }
    }
    assert!(found > 40, "{found} tests are named");
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise ")) {
        assert!(row.matches('|').count() == 3 && row.rsplit('|').nth(1).unwrap().contains('`'), "nothing shows: {row}");
    }
}
