/** Hears every netlink message of this network namespace (nlmon), whoever sends it: what is written to the kernel, and when. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { sh } from './machine.ts';

/** Of a pcap file and of a packet in it, in bytes; then `struct sll_header`, whose last field is the netlink family. */
const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const COOKED_HEADER = 16;
const MESSAGE_HEADER = 16;

/** Netlink families (linux/netlink.h). */
const ROUTE = 0;
const NETFILTER = 12;
const GENERIC = 16;
const NLM_F_REQUEST = 1;
/** A request with all of these bits is a dump: a reading. */
const NLM_F_DUMP = 0x300;
const FIRST_RTM = 16;
/** Of every four rtnetlink types: NEW, DEL, GET, SET. */
const RTM_GET = 2;
/** linux/wireguard.h. */
const WG_CMD_SET_DEVICE = 1;
/** linux/netfilter/nf_tables.h: commands that read, by number. */
const NFT_READS = new Set([1, 4, 7, 10, 13, 16, 19, 21, 23, 25]);
const FIRST_DYNAMIC_FAMILY = 16;

export interface Heard {
  /** When the kernel handed the message on, by its own stamp, as `performance.now()` says it; not when we came to read it. */
  readonly at: number;
  readonly bytes: Buffer;
}

export class NetlinkTap {
  readonly heard: Heard[] = [];
  readonly #tcpdump: ChildProcess;
  #rest = Buffer.alloc(0);
  #begun = false;

  private constructor(tcpdump: ChildProcess) {
    this.#tcpdump = tcpdump;
    tcpdump.stdout?.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** Resolves when it hears. */
  static async open(): Promise<NetlinkTap> {
    sh('ip link show nlmon0 >/dev/null 2>&1 || ip link add nlmon0 type nlmon; ip link set nlmon0 up');
    const flags = ['-i', 'nlmon0', '--immediate-mode', '-U', '-s', '0', '-B', '32768', '-w', '-'];
    const tcpdump = spawn('tcpdump', flags, { stdio: ['ignore', 'pipe', 'ignore'] });
    const tap = new NetlinkTap(tcpdump);
    while (!tap.#begun) {
      if (tcpdump.exitCode !== null) throw new Error('tcpdump does not hear nlmon0');
      await sleep(20);
    }
    return tap;
  }

  forget(): void {
    this.heard.length = 0;
  }

  /** `performance.now()` of the first message that holds `needle`. */
  async first(needle: Buffer, patience = 20_000): Promise<number> {
    const deadline = performance.now() + patience;
    for (let next = 0; performance.now() < deadline; ) {
      for (; next < this.heard.length; next += 1) {
        const heard = this.heard[next];
        if (heard?.bytes.includes(needle)) return heard.at;
      }
      await sleep(1);
    }
    throw new Error('what was waited for was not heard');
  }

  /** How many messages asked the kernel to change something. */
  writes(): number {
    return this.heard.reduce((sum, { bytes }) => sum + writesIn(bytes), 0);
  }

  async close(): Promise<void> {
    this.#tcpdump.kill('SIGTERM');
    await once(this.#tcpdump, 'exit');
    sh('ip link del nlmon0');
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (!this.#begun) {
      if (this.#rest.length < FILE_HEADER) return;
      this.#rest = this.#rest.subarray(FILE_HEADER);
      this.#begun = true;
    }
    while (this.#rest.length >= PACKET_HEADER) {
      const end = PACKET_HEADER + this.#rest.readUInt32LE(8);
      if (this.#rest.length < end) return;
      const stamp = this.#rest.readUInt32LE(0) * 1000 + this.#rest.readUInt32LE(4) / 1000;
      this.heard.push({ at: stamp - performance.timeOrigin, bytes: this.#rest.subarray(PACKET_HEADER, end) });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

function writesIn(packet: Buffer): number {
  const family = packet.readUInt16BE(COOKED_HEADER - 2);
  let writes = 0;
  for (let at = COOKED_HEADER; at + MESSAGE_HEADER <= packet.length; ) {
    const length = packet.readUInt32LE(at);
    if (length < MESSAGE_HEADER) break;
    const message = packet.subarray(at, at + length);
    if (isWrite(family, message)) {
      writes += 1;
      // For the log of a bench that counted more than it should.
      console.error(`netlink write: family ${family}, ${message.toString('hex', 0, 48)}`);
    }
    at += (length + 3) & ~3;
  }
  return writes;
}

/** What the kernel itself says (answers, notices) is no request. */
function isWrite(family: number, message: Buffer): boolean {
  const type = message.readUInt16LE(4);
  const flags = message.readUInt16LE(6);
  if ((flags & NLM_F_REQUEST) === 0) return false;
  switch (family) {
    case ROUTE:
      return type >= FIRST_RTM && (type & 3) !== RTM_GET;
    case NETFILTER:
      return type >> 8 === 10 && !NFT_READS.has(type & 0xff);
    case GENERIC:
      // The controller, which tells families' numbers, is the first dynamic one.
      return (
        type > FIRST_DYNAMIC_FAMILY &&
        (flags & NLM_F_DUMP) !== NLM_F_DUMP &&
        message[MESSAGE_HEADER] === WG_CMD_SET_DEVICE
      );
    default:
      return false;
  }
}
