/**
 * Hears what the kernel tells of links, addresses, routes and rules (rtnetlink(7), RTNLGRP_*).
 *
 * A storm of notices, another program's thousand routes for instance, overruns the socket's buffer: the kernel then answers with
 * ENOBUFS. netlink 0.3.0 ends the whole process at that (its binding.cc builds an error from a null pointer), and has no way to
 * ask for NETLINK_NO_ENOBUFS. So the socket is made by the package, and read by a child: cat(1) gets it as its standard input and
 * hands on what it reads, byte for byte. On ENOBUFS the child ends, which is told as an overrun, and another takes its place.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { RawNetlinkSocket } from 'netlink/dist/raw.js';
import { NETLINK_ROUTE } from './socket.ts';
import { type Message, messages, wholeMessages } from './wire.ts';

/** `enum rtnetlink_groups`: links; addresses, routes and rules of both families. */
const GROUPS = [1, 5, 9, 7, 11, 8, 19] as const;
/** Milliseconds until a reader that ended has a successor. What is done again because of a storm is done once after it. */
const RESPAWN = 200;
/** The same, when one reader after another ends without having read anything: each costs reading the kernel anew. */
const LONGEST_RESPAWN = 10_000;

export interface ListenerOptions {
  readonly onMessage: (message: Message) => void;
  /** Something was told that nobody heard. */
  readonly onOverrun: () => void;
}

export class Listener {
  readonly #options: ListenerOptions;
  #reader: ChildProcess | undefined;
  #respawn: NodeJS.Timeout | undefined;
  #wait = RESPAWN;
  #closed = false;

  /** Listens when it returns. @throws ErrnoException of socket(2). */
  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#start();
  }

  /** Deaf until `resume`. */
  pause(): void {
    clearTimeout(this.#respawn);
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.kill();
  }

  /** Listens again, a little later: whoever paused it has more to do. What others did meanwhile went unheard. */
  resume(): void {
    if (this.#closed || this.#reader !== undefined) return;
    clearTimeout(this.#respawn);
    this.#respawn = setTimeout(() => this.#startAgain(), this.#wait).unref();
  }

  close(): void {
    this.#closed = true;
    this.pause();
  }

  #startAgain(): void {
    try {
      this.#start();
    } catch {
      // No descriptor left, for one. Nobody waits for us here, and it may be better later.
      this.#tryLater();
    }
    this.#options.onOverrun();
  }

  #tryLater(): void {
    this.resume();
    this.#wait = Math.min(2 * this.#wait, LONGEST_RESPAWN);
  }

  #start(): void {
    const socket = new RawNetlinkSocket(NETLINK_ROUTE);
    try {
      for (const group of GROUPS) socket.addMembership(group);
      this.#reader = this.#read(descriptorOf(socket));
    } finally {
      // At once, before the event loop can read from it: an overrun in between would end the process as well.
      socket.close();
    }
  }

  #read(descriptor: number): ChildProcess {
    const reader = spawn('cat', [], { stdio: [descriptor, 'pipe', 'ignore'] });
    let rest: Buffer = Buffer.alloc(0);
    reader.stdout?.on('data', (chunk: Buffer) => {
      if (this.#reader !== reader) return;
      this.#wait = RESPAWN;
      const heard = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = wholeMessages(heard);
      rest = heard.subarray(whole);
      for (const message of messages(heard.subarray(0, whole))) this.#options.onMessage(message);
    });
    const ended = (): void => this.#ended(reader);
    reader.on('error', ended);
    reader.on('exit', ended);
    reader.unref();
    if (reader.stdout instanceof Socket) reader.stdout.unref();
    return reader;
  }

  #ended(reader: ChildProcess): void {
    if (this.#closed || this.#reader !== reader) return;
    this.#reader = undefined;
    this.#tryLater();
  }
}

/** The file descriptor of a socket that the package does not show: by its port in /proc/net/netlink, and by inode in /proc/self/fd. */
function descriptorOf(socket: RawNetlinkSocket): number {
  const port = socket.address().port >>> 0;
  for (const line of readFileSync('/proc/self/net/netlink', 'utf8').split('\n')) {
    const [, protocol, pid, , , , , , , inode] = line.trim().split(/\s+/);
    if (Number(protocol) !== NETLINK_ROUTE || Number(pid) !== port) continue;
    const found = readdirSync('/proc/self/fd').find((name) => linkOf(name) === `socket:[${inode}]`);
    if (found !== undefined) return Number(found);
  }
  throw new Error(`netlink socket ${port} is not in /proc/self/fd`);
}

function linkOf(descriptor: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined; // closed meanwhile: the folder's own descriptor, for one
  }
}
