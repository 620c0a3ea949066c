//! Who gives an order.

use crate::plan::model::settings::Variables;

/// The name of the user who called `sudo`, else of the user who is logged in, else the number of the process's user.
pub(super) fn user(environment: &Variables) -> String {
    let names = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| environment.get(name));
    let known = names.map(|name| name.trim()).find(|name| !name.is_empty() && !name.chars().any(char::is_control));
    known.map_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_of(pairs: &[(&str, &str)]) -> String {
        user(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_user_who_called_sudo_goes_before_the_account() {
        assert_eq!(user_of(&[("SUDO_USER", "ann"), ("USER", "root"), ("LOGNAME", "root")]), "ann");
        assert_eq!(user_of(&[("SUDO_USER", ""), ("USER", "bob"), ("LOGNAME", "x")]), "bob");
        assert_eq!(user_of(&[("USER", "a\nb"), ("LOGNAME", "carol")]), "carol");
        assert!(user_of(&[]).starts_with("uid "));
    }
}
