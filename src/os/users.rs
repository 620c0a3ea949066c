//! The names of this host's users.

use std::path::Path;

use super::input;

/// The name of a user, by `/etc/passwd`. A directory server is not asked: where it is away, that would hang.
pub(crate) fn name(uid: u32) -> Option<String> {
    let file = input::read(Path::new("/etc/passwd")).ok()?;
    name_in(&String::from_utf8_lossy(&file.bytes), uid)
}

/// Whether `/etc/passwd` has this user.
pub(crate) fn has(name: &str) -> bool {
    let file = input::read(Path::new("/etc/passwd"));
    file.is_ok_and(|file| String::from_utf8_lossy(&file.bytes).lines().any(|line| line.split(':').next() == Some(name)))
}

fn name_in(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, number) = (fields.next()?, fields.next()?, fields.next()?);
        let is_name = !name.is_empty() && !name.chars().any(|c| c.is_control() || c.is_whitespace());
        (is_name && number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names() {
        let users = "# users\nroot:x:0:0:root:/root:/bin/bash\n:x:5:5::/:\nann:x:1001:1001:,,,:/home/ann:/bin/sh\nagain:x:1001:1:::\n";
        assert_eq!(name_in(users, 0).as_deref(), Some("root"));
        assert_eq!(name_in(users, 1001).as_deref(), Some("ann"));
        assert_eq!((name_in(users, 5), name_in(users, 7)), (None, None));
        assert_eq!(name(0).as_deref(), Some("root"));
    }
}
