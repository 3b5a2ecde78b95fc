// SPDX-License-Identifier: Apache-2.0

#![no_main]

use std::net::{IpAddr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use transship::registry::{Addresses, Cidr};

/// An address, and blocks that an operator wrote.
type Input<'a> = (u128, Vec<&'a str>, Vec<&'a str>);

fuzz_target!(|input: Input<'_>| {
    let (bits, allow, deny) = input;
    let read = |blocks: Vec<&str>| -> Vec<Cidr> {
        let blocks = blocks.into_iter().filter_map(|block| block.parse().ok());
        blocks.collect()
    };
    let (allow, deny) = (read(allow), read(deny));
    for block in allow.iter().chain(&deny) {
        assert_eq!(block.to_string().parse().as_ref(), Ok(block));
    }
    let address: IpAddr = Ipv6Addr::from_bits(bits).into();
    let judged = |allow: &[Cidr], deny: &[Cidr]| {
        let (allow, deny) = (allow.to_vec(), deny.to_vec());
        Addresses { allow, deny }.judge(address).is_ok()
    };
    let is_open = judged(&allow, &deny);
    // What is closed closes, and what is opened opens.
    assert!(!is_open || judged(&allow, &[]));
    assert!(!judged(&[], &deny) || judged(&allow, &deny));
    let whole: [Cidr; 2] = ["0.0.0.0/0", "::/0"].map(|block| block.parse().expect("a block"));
    assert!(!judged(&[], &whole));
    // A mapped address leads where the one inside of it leads.
    let plain = address.to_canonical();
    let of_plain = Addresses { allow, deny }.judge(plain).is_ok();
    assert_eq!(is_open, of_plain);
});
