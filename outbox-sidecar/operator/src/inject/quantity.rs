//! Amounts of CPU and memory, as Kubernetes writes them.

/// The amount in cores or bytes; `None` if the text is not a quantity.
pub(super) fn parse(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    if number.is_empty() || number == "." {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024_f64.powi(2),
        "Gi" => 1024_f64.powi(3),
        "Ti" => 1024_f64.powi(4),
        "Pi" => 1024_f64.powi(5),
        "Ei" => 1024_f64.powi(6),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            10_f64.powi(digits.parse::<i32>().ok().filter(|power| power.abs() <= 18)?)
        }
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn quantities_are_read_as_kubernetes_does() {
        for (text, amount) in [
            ("1", 1.0),
            ("100m", 0.1),
            ("0.5", 0.5),
            (".5", 0.5),
            ("128Mi", 134_217_728.0),
            ("1G", 1e9),
            ("1e3", 1e3),
            ("2E", 2e18),
        ] {
            assert_eq!(parse(text), Some(amount), "{text}");
        }
        for text in ["", ".", "-1", "1.2.3", "lots", "1 Gi", "1gi", "1e", "1e99", "Mi"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
