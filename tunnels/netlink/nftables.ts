/**
 * What nf_tables has of ours, read without starting nft(8) (linux/netfilter/nf_tables.h). In netlink's attributes of nf_tables numbers
 * are in network byte order.
 */
import { createHash } from 'node:crypto';
import { codeOf } from '../failure.ts';
import { type Encode, RequestSocket } from './socket.ts';
import { attributes, type Message, type MessageWriter, NLM_F, textOf } from './wire.ts';

const NETLINK_NETFILTER = 12;
const NFPROTO_INET = 1;
/** `struct nfgenmsg`: family, version, and the generation, which says nothing of a table. */
const NFGENMSG = 4;

/** `NFNL_SUBSYS_NFTABLES`, and of `enum nf_tables_msg_types` those that ask. */
const message = (type: number) => (10 << 8) | type;
const GET = {
  TABLE: message(1),
  CHAIN: message(4),
  RULE: message(7),
  SET: message(10),
  ELEMENTS: message(13),
  GENERATION: message(16),
  OBJECT: message(19),
} as const;

const TABLE = { NAME: 1, FLAGS: 2, HANDLE: 4 } as const;
/** NFT_TABLE_F_DORMANT */
const DORMANT = 1;
const CHAIN = { TABLE: 1, HANDLE: 2, NAME: 3 } as const;
const RULE = { TABLE: 1, CHAIN: 2, HANDLE: 3, POSITION: 6 } as const;
const SET = { TABLE: 1, NAME: 2, HANDLE: 16 } as const;
const ELEMENTS = { TABLE: 1, SET: 2, LIST: 3 } as const;
const ELEMENT = 1;
const OBJECT = { TABLE: 1, NAME: 2, TYPE: 3, DATA: 4 } as const;
const OBJECT_COUNTER = 1;
const COUNTER_PACKETS = 2;
const GENERATION_ID = 1;

/** A table of family `inet` as it is. */
export interface FoundTable {
  readonly chains: readonly string[];
  readonly sets: readonly string[];
  /** Somebody switched it off (`flags dormant`): none of its chains is asked. */
  readonly asleep: boolean;
  /** Of everything in it but counters: another when anything was changed, also to the same words. */
  readonly fingerprint: string;
  /** Of its words alone: the same when the same was loaded again. */
  readonly content: string;
}

/** Packets by the counter's name. */
export type Counted = ReadonlyMap<string, bigint>;

export interface Nftables {
  /** Another after each change that anybody made to any table of the network namespace. */
  generation(): Promise<number>;
  /**
   * Undefined: there is no such table.
   * @param chains Names that it may have, besides those with a rule: nobody can ask the kernel for the chains of one table, and to ask
   *   for all is dear where kube-proxy has thousands. One more than these shows in the fingerprint all the same.
   */
  table(name: string, chains?: readonly string[]): Promise<FoundTable | undefined>;
  /** Of the named counters of a table; empty when there is no such table. */
  counters(table: string): Promise<Counted>;
  close(): void;
}

/** Opens its socket when it is first needed. All may throw NetlinkError, `EPERM` without CAP_NET_ADMIN for one. */
export function openNftables(): Nftables {
  let socket: RequestSocket | undefined;

  async function ask(encode: Encode): Promise<Message[]> {
    socket ??= new RequestSocket(NETLINK_NETFILTER);
    let found: Message[] = [];
    await socket.dump(
      encode,
      (one) => found.push(one),
      () => {
        found = [];
      },
    );
    return found;
  }

  const named = (messages: readonly Message[], at: { TABLE: number; NAME: number }, table: string) =>
    messages.filter(({ body }) => textOf(attributes(body, NFGENMSG).get(at.TABLE)) === table);

  async function elements(table: string, set: string): Promise<string[]> {
    const answer = await ask(
      request(GET.ELEMENTS, NLM_F.DUMP, [
        [ELEMENTS.TABLE, table],
        [ELEMENTS.SET, set],
      ]),
    );
    const lists = answer.map(({ body }) => attributes(body, NFGENMSG).get(ELEMENTS.LIST) ?? Buffer.alloc(0));
    // In the order of a hash table, which may be another the next time.
    return lists.flatMap((list) => [...items(list)].map((item) => item.toString('hex'))).sort();
  }

  return {
    generation: async () => {
      const [answer] = await ask(request(GET.GENERATION, 0, []));
      const id = answer && attributes(answer.body, NFGENMSG).get(GENERATION_ID);
      return id?.readUInt32BE(0) ?? 0;
    },
    table: async (name, expected = []) => {
      // Its count of uses tells of every chain, set and counter that it has.
      const found = await unlessAbsent(ask(request(GET.TABLE, 0, [[TABLE.NAME, name]])));
      if (found === undefined) return undefined;
      const sets = named(await ask(request(GET.SET, NLM_F.DUMP, [[SET.TABLE, name]])), SET, name);
      const rules = await ask(request(GET.RULE, NLM_F.DUMP, [[RULE.TABLE, name]]));
      const chains = new Map<string, Message>();
      for (const chain of new Set([...expected, ...namesOf(rules, RULE.CHAIN)].sort())) {
        const [one] = (await unlessAbsent(ask(chainRequest(name, chain)))) ?? [];
        if (one !== undefined) chains.set(chain, one);
      }
      const setNames = namesOf(sets, SET.NAME);
      const held: string[] = [];
      for (const set of setNames) held.push(JSON.stringify([set, await elements(name, set)]));
      const all = [...found, ...chains.values(), ...sets, ...rules].map(({ body }) =>
        body.subarray(NFGENMSG),
      );
      const words = [
        ...found.map(without(TABLE.HANDLE)),
        ...[...chains.values()].map(without(CHAIN.HANDLE)),
        ...sets.map(without(SET.HANDLE)),
        ...rules.map(without(RULE.HANDLE, RULE.POSITION)),
      ];
      const [own] = found;
      const flags = own && attributes(own.body, NFGENMSG).get(TABLE.FLAGS);
      const asleep = ((flags?.readUInt32BE(0) ?? 0) & DORMANT) !== 0;
      return {
        chains: [...chains.keys()],
        sets: setNames,
        asleep,
        fingerprint: digestOf([...all, ...held]),
        content: digestOf([...words, ...held]),
      };
    },
    counters: async (table) => {
      const objects = named(
        await ask(request(GET.OBJECT, NLM_F.DUMP, [[OBJECT.TABLE, table]])),
        OBJECT,
        table,
      );
      return new Map(objects.flatMap(({ body }) => counterOf(attributes(body, NFGENMSG))));
    },
    close: () => {
      socket?.close();
      socket = undefined;
    },
  };
}

/** Attributes but these, which the kernel counts up. */
const without =
  (...handles: readonly number[]) =>
  ({ body }: Message): string =>
    JSON.stringify(
      [...attributes(body, NFGENMSG)]
        .filter(([key]) => !handles.includes(key))
        .map(([key, value]) => [key, value.toString('hex')]),
    );

function digestOf(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 32);
}

function request(type: number, flags: number, names: readonly (readonly [number, string])[]): Encode {
  return (writer: MessageWriter) => {
    writer.begin(type, flags);
    writer.struct([NFPROTO_INET, 0, 0, 0]);
    for (const [attribute, name] of names) writer.string(attribute, name);
  };
}

const chainRequest = (table: string, chain: string): Encode =>
  request(GET.CHAIN, 0, [
    [CHAIN.TABLE, table],
    [CHAIN.NAME, chain],
  ]);

const namesOf = (messages: readonly Message[], attribute: number): string[] =>
  messages.flatMap(({ body }) => textOf(attributes(body, NFGENMSG).get(attribute)) ?? []);

async function unlessAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The attributes of a list, which all have the same type. */
function* items(list: Buffer): Generator<Buffer> {
  let at = 0;
  while (at + 4 <= list.length) {
    const length = list.readUInt16LE(at);
    if (length < 4 || at + length > list.length) return;
    if ((list.readUInt16LE(at + 2) & 0x3fff) === ELEMENT) yield list.subarray(at + 4, at + length);
    at += (length + 3) & ~3;
  }
}

function counterOf(object: ReadonlyMap<number, Buffer>): [string, bigint][] {
  const name = textOf(object.get(OBJECT.NAME));
  const data = object.get(OBJECT.DATA);
  if (name === undefined || data === undefined) return [];
  if (object.get(OBJECT.TYPE)?.readUInt32BE(0) !== OBJECT_COUNTER) return [];
  const packets = attributes(data, 0).get(COUNTER_PACKETS);
  return packets === undefined ? [] : [[name, packets.readBigUInt64BE(0)]];
}
