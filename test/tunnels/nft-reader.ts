/** Reads our rules as nf_tables does: slowly, and only the words that they are written with. Anything else is an error. */
import { contains, rangeOf } from '../../mesh/prefix.ts';
import type { Prefix } from '../../mesh/types.ts';
import type { Json, JsonObject, Table } from '../../tunnels/firewall/json.ts';

/** What is asked of a packet: `meta oifname`, `ip saddr`, `udp sport`, `ct direction`, `ipsec reqid`. Undefined: it has no such thing. */
export type Packet = Readonly<Record<string, string | number | undefined>>;

export interface Verdict {
  readonly verdict: 'accept' | 'drop';
  /** Names of the counters that it passed. */
  readonly counted: readonly string[];
}

export function judge(table: Table, chain: string, packet: Packet): Verdict {
  const counted: string[] = [];
  const end = walk(chain);
  return { verdict: end === 'drop' ? 'drop' : 'accept', counted };

  function walk(name: string): 'accept' | 'drop' | undefined {
    for (const rule of table.rules.filter((one) => one.chain === name)) {
      const end = follow(rule.expr);
      if (end !== undefined) return end;
    }
    return undefined;
  }

  function follow(expr: readonly Json[]): 'accept' | 'drop' | undefined {
    for (const json of expr) {
      const [word = '', value] = Object.entries(object(json))[0] ?? [];
      if (word === 'accept' || word === 'drop') return word;
      if (word === 'counter') counted.push(String(value));
      else if (word === 'jump') return walk(String(object(value).target));
      else if (word !== 'match') throw new Error(`unknown: ${JSON.stringify(json)}`);
      else if (!matches(object(value))) return undefined;
    }
    return undefined;
  }

  function matches({ op, left = null, right = null }: JsonObject): boolean {
    const found = read(left);
    // An expression that cannot be read ends its rule.
    if (found === undefined) return false;
    const within = elements(right).some((one) => equal(found, one));
    return op === '==' ? within : !within;
  }

  function read(json: Json): string | number | undefined {
    const [word = '', value] = Object.entries(object(json))[0] ?? [];
    if (word === 'meta' || word === 'ct' || word === 'ipsec') return packet[`${word} ${object(value).key}`];
    if (word === 'payload') return packet[`${object(value).protocol} ${object(value).field}`];
    if (word === '&' && Array.isArray(value)) return (Number(read(value[0])) & Number(value[1])) >>> 0;
    throw new Error(`unknown: ${JSON.stringify(json)}`);
  }

  function elements(right: Json): readonly Json[] {
    if (typeof right === 'string' && right.startsWith('@')) {
      const set = table.sets.find(({ name }) => name === right.slice(1));
      if (set === undefined) throw new Error(`no set ${right}`);
      return set.elements;
    }
    if (typeof right !== 'object' || right === null || Array.isArray(right)) return [right];
    const { set } = right as JsonObject;
    return Array.isArray(set) ? set : [right];
  }
}

function equal(found: string | number, element: Json): boolean {
  if (typeof element !== 'object' || element === null) {
    return typeof found === 'string' && typeof element === 'string' && /[.:]/.test(element)
      ? inPrefix(found, `${element}/${element.includes(':') ? 128 : 32}`)
      : found === element;
  }
  const { prefix, range } = object(element);
  if (Array.isArray(range)) return Number(found) >= Number(range[0]) && Number(found) <= Number(range[1]);
  const { addr, len } = object(prefix);
  return inPrefix(String(found), `${addr}/${len}`);
}

function inPrefix(address: string, prefix: string): boolean {
  const host = `${address}/${address.includes(':') ? 128 : 32}`;
  return contains(rangeOf(prefix as Prefix), rangeOf(host as Prefix));
}

function object(json: Json | undefined): JsonObject {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as JsonObject;
  throw new Error(`no object: ${JSON.stringify(json)}`);
}
