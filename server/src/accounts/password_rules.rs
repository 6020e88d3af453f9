//! Django's four password rules, with their messages.

use super::user::User;

const MIN_CHARACTERS: usize = 8;
/// How alike a password and a field of its user may be.
const MAX_SIMILARITY: f64 = 0.7;

/// Passwords that guessers try first, one a line.
const COMMON: &str = include_str!("common_passwords.txt");

/// All messages that apply to `password`, in Django's order. At sign-up there is no user to compare with yet.
pub fn complaints(password: &str, user: Option<&User>) -> Vec<String> {
    let mut complaints = Vec::new();
    if let Some(field) = user.and_then(|user| similar_field(password, user)) {
        complaints.push(format!("The password is too similar to the {field}."));
    }
    if password.chars().count() < MIN_CHARACTERS {
        complaints.push(format!("This password is too short. It must contain at least {MIN_CHARACTERS} characters."));
    }
    let lower = password.to_lowercase();
    if COMMON.lines().any(|common| common == lower.trim()) {
        complaints.push("This password is too common.".to_owned());
    }
    if password.chars().all(char::is_numeric) {
        complaints.push("This password is entirely numeric.".to_owned());
    }
    complaints
}

fn similar_field(password: &str, user: &User) -> Option<&'static str> {
    let fields = [("username", &user.email), ("first name", &user.first_name), ("last name", &user.last_name)];
    let alike = |value: &str| {
        let parts = value.split(|c: char| !c.is_alphanumeric() && c != '_');
        parts.chain([value]).any(|part| !part.is_empty() && similarity(password, part) >= MAX_SIMILARITY)
    };
    fields.into_iter().find(|(_, value)| alike(value)).map(|(name, _)| name)
}

/// Twice the letters that both have, over all letters: Python's `SequenceMatcher.quick_ratio`.
fn similarity(a: &str, b: &str) -> f64 {
    let mut rest: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let total = rest.len() + b.len();
    let shared = b.iter().filter(|c| rest.iter().position(|r| r == *c).map(|at| rest.swap_remove(at)).is_some());
    let shared = f64::from(u32::try_from(shared.count()).unwrap_or(u32::MAX));
    2.0 * shared / f64::from(u32::try_from(total).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_original_is_short_and_common() {
        let expected =
            ["This password is too short. It must contain at least 8 characters.", "This password is too common."];
        assert_eq!(complaints("qwerty", None), expected);
    }

    #[test]
    fn digits_alone_are_refused_and_a_good_password_is_not() {
        assert_eq!(complaints("8402759136", None), ["This password is entirely numeric."]);
        assert!(complaints("tree-lamp-42-ocean", None).is_empty());
    }
}
