//! Names of files that peers choose: one plain name, the same on every system.

/// Why a name is refused, if it is. What passes names an entry of a folder and nothing else, on
/// Unix as on Windows; hidden files are not anybody's business.
pub(super) fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > 255 {
        return Err("it is longer than 255 bytes");
    }
    if name.starts_with('.') {
        return Err("it begins with a dot");
    }
    if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        return Err("it ends with a dot, or has a blank at an end");
    }
    if name.chars().any(|c| c.is_control() || "/\\:*?\"<>|".contains(c)) {
        return Err("it has a character that names of files do not have everywhere");
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let device = |reserved: &&str| stem.eq_ignore_ascii_case(reserved);
    if RESERVED.iter().any(device) || numbered(stem) {
        return Err("it names a device");
    }
    Ok(())
}

/// Names of devices on Windows, with whatever ending.
const RESERVED: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// `COM1`, `LPT9`, and those with raised digits.
fn numbered(stem: &str) -> bool {
    let Some((head, tail)) = stem.split_at_checked(3) else { return false };
    let port = head.eq_ignore_ascii_case("COM") || head.eq_ignore_ascii_case("LPT");
    let mut tail = tail.chars();
    let digit = tail.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c));
    port && digit && tail.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At least two hundred names that lead elsewhere, somewhere.
    fn hostile() -> Vec<String> {
        let mut names: Vec<String> =
            ["", ".", "..", "...", ".hidden", " lead", "tail ", "dot."].map(str::to_owned).into();
        let places = ["etc/passwd", "x", "Windows\\win.ini", ".ssh/authorized_keys", "a/../../b"];
        let ups = [
            "/",
            "//",
            "\\",
            "\\\\",
            "../",
            "..\\",
            "../../",
            "..\\..\\",
            "./",
            ".\\",
            "a/../",
            "....//",
            "C:",
            "C:\\",
            "C:/",
            "\\\\server\\share\\",
            "//server/share/",
            "\\\\?\\C:\\",
            "\\\\.\\",
            "file:///",
            "file:",
            "x:y:",
            "~/../",
            "%2e%2e/",
            "\0",
            "ok\0/../",
            "a\nb/",
        ];
        names.extend(ups.iter().flat_map(|up| places.map(|place| format!("{up}{place}"))));
        for device in ["con", "PRN", "Aux", "nul", "CONIN$", "conout$", "COM1", "lpt9", "com¹"] {
            names.extend(["", ".txt", ".tar.gz", " .txt", ".a.b"].map(|e| format!("{device}{e}")));
        }
        names.extend((0u8..32).map(|c| format!("a{}b", char::from(c))));
        names.push("n".repeat(256));
        names.push("n".repeat(4096));
        names.push("stream.txt:$DATA".to_owned());
        names
    }

    #[test]
    fn only_plain_names_pass() {
        let names = hostile();
        assert!(names.len() >= 200, "{}", names.len());
        for name in names {
            assert!(check(&name).is_err(), "{name:?}");
        }
        for name in ["a", "a.txt", "Größe 1.tar.gz", "command", "COM10", "nullen", "a..b", "-rf"]
        {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
        assert_eq!(check(&"n".repeat(255)), Ok(()));
    }
}
