//! From the bytes of a question to those of its answer.
//!
//! A message has a header of twelve bytes (an id, flags, and how many records follow in each of
//! four sections), the question, and records. `simple-dns` reads and writes it; here is decided
//! what is answered. See RFC 1035, 4.1.

use std::net::Ipv4Addr;

use simple_dns::rdata::{A, PTR, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};

use super::zone::Zones;

/// A message begins with this many bytes.
pub const HEADER: usize = 12;
/// How long an answer may be kept, in seconds. Containers come and go; Docker's 600 outlive them.
const KEEP: u32 = 5;

/// What is to be done about a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Send this.
    Answer(Vec<u8>),
    /// It isn't ours to know: ask a server of the host's.
    Ask,
    /// It is none.
    Nothing,
}

/// Decides it. An answer has at most `limit` bytes: if it would have more, it says so instead
/// (the flag TC), and whoever asked comes again by TCP.
// ANCHOR: reply
pub fn reply(bytes: &[u8], zones: &mut Zones, limit: usize) -> Reply {
    // Answers are not answered: two servers could keep each other busy for ever.
    if bytes.len() < HEADER || bytes[2] & 0x80 != 0 {
        return Reply::Nothing;
    }
    // Only "query", of the operations; and exactly one question, as everybody asks.
    if bytes[2] & 0x78 != 0 {
        return Reply::Answer(refusal(bytes, RCODE::NotImplemented));
    }
    let Some(asked) = question_section(bytes) else {
        return Reply::Answer(refusal(bytes, RCODE::FormatError));
    };
    let only = only_the_question(bytes, asked);
    // A kind or a class of question that our library doesn't know: a server may.
    let Ok(packet) = Packet::parse(&only) else { return Reply::Ask };
    let [question] = &packet.questions[..] else { return Reply::Ask };
    let Some(name) = text(&question.qname).filter(|_| question.qclass == QCLASS::CLASS(CLASS::IN)) else {
        return Reply::Ask;
    };
    // ANCHOR: ex-05-6
    match (question.qtype, address_of(&name)) {
        // 1. PTR, and the name is that of an address: who has it is the answer.
        (QTYPE::TYPE(TYPE::PTR), Some(address)) => match zones.owner(address) {
            Some(owner) => pointer(&packet, question, &owner, limit),
            None => Reply::Ask,
        },
        (kind, _) => match zones.addresses(&name) {
            // 2. A, and somebody is called so: one record for each of their addresses. Whoever shares a
            //    name shares the work: the question's id says how far to turn the list around.
            Some(mut addresses) if kind == QTYPE::TYPE(TYPE::A) => {
                let first = usize::from(packet.id()) % addresses.len().max(1);
                addresses.rotate_left(first);
                let records = addresses.into_iter().map(|address| RData::A(A { address: address.into() }));
                Reply::Answer(answer(&packet, question, records.collect(), limit))
            }
            // 3. Another kind of record, and somebody is called so: an answer without any. (AAAA: we give
            //    out no IPv6 addresses, and nobody else has to know the name.)
            Some(_) => Reply::Answer(answer(&packet, question, vec![], limit)),
            // 4. Nobody of ours is called so, or has such an address: a server of the host's may know.
            None => Reply::Ask,
        },
    }
    // ANCHOR_END: ex-05-6
}
// ANCHOR_END: reply

/// The answer to a question that nobody could answer: SERVFAIL.
pub fn failure(question: &[u8]) -> Vec<u8> {
    refusal(question, RCODE::ServerFailure)
}

/// The bytes of the question: name, type, class. `None` if there isn't exactly one, or it is cut.
pub fn question_section(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.get(4..6)? != [0, 1] {
        return None;
    }
    let mut place = HEADER;
    loop {
        match *bytes.get(place)? {
            0 => return bytes.get(HEADER..place + 5),
            // The length of the next part. More than 63 would be a pointer, and there is nothing
            // yet to point to.
            length @ 1..=63 => place += usize::from(length) + 1,
            _ => return None,
        }
    }
}

/// The message without what may follow the question: options, signatures, noise.
fn only_the_question(bytes: &[u8], question: &[u8]) -> Vec<u8> {
    [&bytes[..6], &[0; 6], question].concat()
}

fn pointer(packet: &Packet<'_>, question: &Question<'_>, owner: &str, limit: usize) -> Reply {
    match Name::new(owner) {
        Ok(owner) => Reply::Answer(answer(packet, question, vec![RData::PTR(PTR(owner))], limit)),
        Err(_) => Reply::Ask,
    }
}

fn answer(packet: &Packet<'_>, question: &Question<'_>, records: Vec<RData<'_>>, limit: usize) -> Vec<u8> {
    let mut answer = Packet::new_reply(packet.id());
    answer.set_flags(PacketFlag::RECURSION_AVAILABLE);
    if packet.has_flags(PacketFlag::RECURSION_DESIRED) {
        answer.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    answer.questions.push(question.clone());
    for record in records {
        answer.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, KEEP, record));
    }
    // Into memory, of names that were read or checked: it can't fail, and if it does we say so.
    let failed = |_| refusal_with(packet.id(), RCODE::ServerFailure);
    let bytes = answer.build_bytes_vec_compressed().unwrap_or_else(failed);
    if bytes.len() <= limit {
        return bytes;
    }
    answer.answers.clear();
    answer.set_flags(PacketFlag::TRUNCATION);
    answer.build_bytes_vec().unwrap_or_else(failed)
}

/// The question's header and the question, if it can be read, turned into an answer.
fn refusal(bytes: &[u8], code: RCODE) -> Vec<u8> {
    let Some(header) = bytes.get(..HEADER) else { return vec![] };
    let question = question_section(bytes).unwrap_or_default();
    let mut answer =
        [&header[..4], &[0, u8::from(!question.is_empty()), 0, 0, 0, 0, 0, 0], question].concat();
    // QR; the operation and "recursion desired" as they came. Then "recursion available", and why.
    answer[2] = 0x80 | header[2] & 0x79;
    answer[3] = 0x80 | code as u8 & 0x0f;
    answer
}

fn refusal_with(id: u16, code: RCODE) -> Vec<u8> {
    refusal(&[&id.to_be_bytes()[..], &[0; 10]].concat(), code)
}

/// A name as it is written in files, if it can be: letters, digits and signs, in small letters.
fn text(name: &Name<'_>) -> Option<String> {
    let parts = name.as_bytes().map(|part| {
        let fits = part.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.');
        fits.then(|| String::from_utf8_lossy(part).to_ascii_lowercase())
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("."))
}

/// `2.0.29.172.in-addr.arpa` is the name of 172.29.0.2, so that one can ask for who has it
/// (RFC 1035, 3.5).
fn address_of(name: &str) -> Option<Ipv4Addr> {
    let mut parts: Vec<u8> = vec![];
    for part in name.strip_suffix(".in-addr.arpa")?.split('.') {
        parts.push(part.parse().ok()?);
    }
    let [d, c, b, a] = parts.try_into().ok()?;
    Some(Ipv4Addr::new(a, b, c, d))
}
