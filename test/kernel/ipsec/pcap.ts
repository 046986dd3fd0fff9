/** Reads what tcpdump wrote: pcap, of Ethernet, with IPv4. */

const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const ETHERNET = 14;

/** What is behind the IPv4 header of each packet. */
export function espPacketsOf(pcap: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = FILE_HEADER; at < pcap.length; ) {
    const length = pcap.readUInt32LE(at + 8);
    const frame = pcap.subarray(at + PACKET_HEADER, at + PACKET_HEADER + length);
    const header = (frame[ETHERNET] ?? 0) & 0xf;
    const total = frame.readUInt16BE(ETHERNET + 2);
    packets.push(frame.subarray(ETHERNET + header * 4, ETHERNET + total));
    at += PACKET_HEADER + length;
  }
  return packets;
}
