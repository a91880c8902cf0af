//! Each rule of OTLP JSON, on the text it concerns.

use super::text::object;

#[test]
fn doubles_that_json_lacks_are_strings() {
    let json = object(|json| {
        json.doubles("d", &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e22, 5e-324, f64::MAX, 0.1]);
    });
    let expected = r#"{"d":["NaN","Infinity","-Infinity",-0.0,1e22,5e-324,1.7976931348623157e308,0.1]}"#;
    assert_eq!(json, expected);
}

#[test]
fn integers_of_64_bits_are_strings() {
    let json = object(|json| {
        json.quoted("left out", 0);
        json.quoted("a", u64::MAX);
        json.always_quoted("b", i64::MIN);
        json.counts("c", &[0, 1]);
        json.number("d", 7_u32);
    });
    assert_eq!(json, r#"{"a":"18446744073709551615","b":"-9223372036854775808","c":["0","1"],"d":7}"#);
}

#[test]
fn base64_is_padded() {
    for (bytes, expected) in [
        (&b""[..], ""),
        (b"f", "Zg=="),
        (b"fo", "Zm8="),
        (b"foo", "Zm9v"),
        (b"foobar", "Zm9vYmFy"),
        (b"\xfb\xff\xfe", "+//+"),
    ] {
        assert_eq!(object(|json| json.base64("b", bytes)), format!(r#"{{"b":"{expected}"}}"#));
    }
}

#[test]
fn text_is_escaped_and_stays_on_one_line() {
    let json = object(|json| json.text("t", "\"\\\n\r\t\u{0}\u{1f}\u{7f}é😀\u{2028}"));
    assert_eq!(json, "{\"t\":\"\\\"\\\\\\n\\r\\t\\u0000\\u001f\\u007fé😀\u{2028}\"}");
}

#[test]
fn what_is_not_set_is_left_out() {
    let json = object(|json| {
        json.text("t", "");
        json.number("n", 0_i32);
        json.flag("f", false);
        json.hex("i", &[]);
        json.optional_double("d", None);
        json.counts("c", &[]);
        json.doubles("l", &[]);
        json.some::<u8>("m", None, |_, _| ());
        json.list::<u8>("a", &[], |_, _| ());
        json.optional_double("kept", Some(0.0));
    });
    assert_eq!(json, r#"{"kept":0.0}"#);
}

#[test]
fn ids_are_in_lower_hex() {
    assert_eq!(object(|json| json.hex("i", &[0xAB, 0x01])), r#"{"i":"ab01"}"#);
}
