//! Who gives an order.

use crate::os::users;
use crate::plan::model::settings::Variables;

/// The name of the user who called `sudo`, else of the user who is logged in, else of the process's user, whose number stands for a
/// name that this host does not know.
pub(super) fn user(environment: &Variables) -> String {
    let names = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| environment.get(name));
    let known = names.map(|name| name.trim()).find(|name| !name.is_empty() && !name.chars().any(char::is_control));
    let uid = rustix::process::getuid().as_raw();
    known.map(str::to_owned).or_else(|| users::name(uid)).unwrap_or_else(|| format!("uid {uid}"))
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
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(user_of(&[]), users::name(uid).unwrap_or(format!("uid {uid}")));
    }
}
