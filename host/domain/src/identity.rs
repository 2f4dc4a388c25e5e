//! Checks of national identifiers: unified social credit code (USCC, GB 32100-2015) and resident
//! ID (GB 11643). Facts: domain/codes, sections 1 and 2.

/// The 31 characters of a USCC: no I, O, Z, S, V.
const USCC_ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
const USCC_WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// Department and category pairs in use (GB 32100-2015, with agriculture `N`); kept as data.
const USCC_CATEGORIES: [(char, &str); 11] = [
    ('1', "1239"),
    ('2', ""),
    ('3', "123459"),
    ('4', ""),
    ('5', "1239"),
    ('6', ""),
    ('7', ""),
    ('8', ""),
    ('9', "123"),
    ('A', ""),
    ('N', "1239"),
];

/// What is to be said about a text given as a USCC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsccCheck {
    /// Form and check character are right.
    Valid,
    /// Form is right, the check character is not: some real codes are so, a person may override
    /// with a reason. Holds the computed character.
    WrongCheck(char),
    /// A character that the alphabet lacks, with the likely intended one (I→1, O→0, Z→2, S→5, V→Y):
    /// suggested, never mended by itself.
    Suggest(String),
    /// Also a well-formed resident ID: a person must say which it is.
    MaybeResidentId,
    /// Not a USCC; a text that is a resident ID only is here too, so that no reason lets it in.
    Malformed,
}

/// Upper-cases and maps full-width characters to ASCII; changes nothing else.
pub fn normalise(text: &str) -> String {
    text.trim()
        .chars()
        .map(|c| match c {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
            c => c,
        })
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

/// Checks a normalised USCC.
pub fn check_uscc(uscc: &str) -> UsccCheck {
    if uscc.chars().count() != 18 {
        return UsccCheck::Malformed;
    }
    if uscc.chars().any(|c| !USCC_ALPHABET.contains(c)) {
        let suggestion: String = uscc
            .chars()
            .map(|c| match c {
                'I' => '1',
                'O' => '0',
                'Z' => '2',
                'S' => '5',
                'V' => 'Y',
                c => c,
            })
            .collect();
        let mended = suggestion.chars().all(|c| USCC_ALPHABET.contains(c));
        return if mended && uscc_check_char(&suggestion).is_some_and(|c| suggestion.ends_with(c)) {
            UsccCheck::Suggest(suggestion)
        } else {
            UsccCheck::Malformed
        };
    }
    let mut chars = uscc.chars();
    let (department, category) = (chars.next().unwrap_or(' '), chars.next().unwrap_or(' '));
    let known = USCC_CATEGORIES.iter().any(|(d, categories)| {
        *d == department && (categories.is_empty() || categories.contains(category))
    }) || (department == 'Y' && category == '1');
    if !known || !uscc[2..8].bytes().all(|b| b.is_ascii_digit()) {
        return UsccCheck::Malformed;
    }
    match uscc_check_char(uscc) {
        Some(c) if uscc.ends_with(c) && is_resident_id(uscc) => UsccCheck::MaybeResidentId,
        Some(c) if uscc.ends_with(c) => UsccCheck::Valid,
        Some(_) if is_resident_id(uscc) => UsccCheck::Malformed,
        Some(c) => UsccCheck::WrongCheck(c),
        None => UsccCheck::Malformed,
    }
}

/// The check character for the first 17 characters; `None` when one is outside the alphabet.
pub fn uscc_check_char(uscc: &str) -> Option<char> {
    let mut sum = 0;
    for (c, weight) in uscc.chars().take(17).zip(USCC_WEIGHTS) {
        sum += u32::try_from(USCC_ALPHABET.find(c)?).ok()? * weight;
    }
    USCC_ALPHABET.chars().nth(((31 - sum % 31) % 31) as usize)
}

/// Whether the text is a well-formed resident ID: birth date and ISO 7064 MOD 11-2 check.
pub fn is_resident_id(id: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let bytes = id.as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |range: std::ops::Range<usize>| id[range].parse::<i16>().unwrap_or(0);
    let (year, month, day) = (number(6..10), number(10..12), number(12..14));
    let date = jiff::civil::Date::new(year, month as i8, day as i8);
    if date.is_err() || !(1800..=2100).contains(&year) {
        return false;
    }
    let sum: u32 = bytes.iter().zip(WEIGHTS).map(|(b, w)| u32::from(b - b'0') * w).sum();
    b"10X98765432"[(sum % 11) as usize] == bytes[17]
}

/// Whether 15 digits may be a resident ID of the form before 1999: region, birth date without its century,
/// number. It had no check, so a licence number may look the same by chance.
pub fn is_old_resident_id(id: &str) -> bool {
    if id.len() != 15 || !id.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let number = |at: usize| id[at..at + 2].parse::<i8>().unwrap_or(0);
    jiff::civil::Date::new(1900 + i16::from(number(6)), number(8), number(10)).is_ok()
}

/// `138****5678`: hides the middle of a phone number; short numbers keep their last two digits.
pub fn mask_phone(phone: &str) -> String {
    let chars: Vec<char> = phone.chars().collect();
    let n = chars.len();
    let (head, tail) = if n >= 11 { (3, 4) } else { (0, n.min(2)) };
    chars
        .iter()
        .enumerate()
        .map(|(i, c)| if i < head || i >= n - tail || *c == '-' { *c } else { '*' })
        .collect()
}

/// `张**`: keeps the first character of a person's name.
pub fn mask_person(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().into_iter().chain(chars.map(|_| '*')).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uscc_table() {
        let valid = [
            "91110000600037341L",
            "91310115591693856A",
            "91310110666007217T",
            "12440600MB2C07549J",
            "91350100M000100Y43",
            "N2430102MF1234567H",
            "914301020000000010",
        ];
        for uscc in valid {
            assert_eq!(check_uscc(uscc), UsccCheck::Valid, "{uscc}");
        }
        assert_eq!(check_uscc("91350211M00013FA1N"), UsccCheck::WrongCheck('3'));
        assert_eq!(check_uscc("91350203M0001QKT19"), UsccCheck::WrongCheck('F'));
        assert_eq!(check_uscc("110105180001010838"), UsccCheck::MaybeResidentId);
        assert_eq!(check_uscc("11010519491231002X"), UsccCheck::Malformed);
        assert_eq!(
            check_uscc("9I110000600037341L"),
            UsccCheck::Suggest("91110000600037341L".into())
        );
        for bad in ["", "9111", "Q1110000600037341L", "91-10000600037341L"] {
            assert_eq!(check_uscc(bad), UsccCheck::Malformed, "{bad}");
        }
        assert_eq!(normalise(" 9１110000600037341l "), "91110000600037341L");
    }

    #[test]
    fn resident_id_table() {
        assert!(is_resident_id("11010519491231002X"));
        for bad in ["110105194912310021", "110105194913310025", "1101051949123100", "中文"] {
            assert!(!is_resident_id(bad), "{bad}");
        }
    }

    #[test]
    fn old_resident_id_table() {
        assert!(is_old_resident_id("110105491231002"));
        for other in ["430321000012345", "430321601323456", "11010549123100", "43032100001234X", ""]
        {
            assert!(!is_old_resident_id(other), "{other}");
        }
    }

    #[test]
    fn masks() {
        assert_eq!(mask_phone("13812345678"), "138****5678");
        assert_eq!(mask_phone("0731-5700000"), "073*-***0000");
        assert_eq!(mask_person("张三丰"), "张**");
        assert_eq!(mask_person(""), "");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,24}") {
            check_uscc(&normalise(&text));
            is_resident_id(&text);
            mask_phone(&text);
        }

        #[test]
        fn a_computed_check_is_accepted(body in "9[123][0-9]{6}[0-9A-HJ-NP-RTUWXY]{9}") {
            prop_assume!(!is_resident_id(&format!("{body}0")));
            let full = format!("{body}{}", uscc_check_char(&body).unwrap());
            prop_assert!(matches!(check_uscc(&full), UsccCheck::Valid | UsccCheck::MaybeResidentId));
        }
    }
}
