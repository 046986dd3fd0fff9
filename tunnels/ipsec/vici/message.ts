/**
 * VICI messages: sections that hold values, lists and sections, by name.
 *
 *   section start  1 name      key and value  3 name value      list item  5 value
 *   section end    2           list start     4 name            list end   6
 *
 * A name is its length in 8 bits and ASCII; a value its length in 16 bits, network order, and bytes.
 */
import { ViciError } from './errors.ts';

/** What we say. Bytes go as they are, text as UTF-8; undefined is left out. */
export interface Message {
  readonly [name: string]: string | Uint8Array | readonly (string | Uint8Array)[] | Message | undefined;
}

/** What charon says: text only, by its documentation. Without a prototype, so that no name means anything else. */
export interface Section {
  readonly [name: string]: string | readonly string[] | Section;
}

const ELEMENT = {
  SECTION_START: 1,
  SECTION_END: 2,
  KEY_VALUE: 3,
  LIST_START: 4,
  LIST_ITEM: 5,
  LIST_END: 6,
} as const;

const MAX_NAME = 0xff;
const MAX_VALUE = 0xffff;

/** @throws ViciError `VICI_TOO_LARGE` for a name of more than 255 or a value of more than 65535 bytes. */
export function encodeMessage(message: Message): Buffer {
  const parts: Uint8Array[] = [];
  writeSection(parts, message);
  return Buffer.concat(parts);
}

function writeSection(parts: Uint8Array[], section: Message): void {
  for (const [name, value] of Object.entries(section)) {
    if (value === undefined) continue;
    if (typeof value === 'string' || value instanceof Uint8Array) {
      parts.push(named(ELEMENT.KEY_VALUE, name), ...sized(name, value));
    } else if (isList(value)) {
      parts.push(named(ELEMENT.LIST_START, name));
      for (const item of value) parts.push(Uint8Array.of(ELEMENT.LIST_ITEM), ...sized(name, item));
      parts.push(Uint8Array.of(ELEMENT.LIST_END));
    } else {
      parts.push(named(ELEMENT.SECTION_START, name));
      writeSection(parts, value);
      parts.push(Uint8Array.of(ELEMENT.SECTION_END));
    }
  }
}

const isList = (
  value: readonly (string | Uint8Array)[] | Message,
): value is readonly (string | Uint8Array)[] => Array.isArray(value);

/** An element type and a name. */
export function named(type: number, name: string): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length > MAX_NAME) {
    throw new ViciError(
      'VICI_TOO_LARGE',
      `the name "${name.slice(0, 40)}..." has ${bytes.length} bytes; VICI takes ${MAX_NAME}`,
    );
  }
  return Buffer.concat([Uint8Array.of(type, bytes.length), bytes]);
}

/** Never the value in the message: it may be a key. */
function sized(name: string, value: string | Uint8Array): [Buffer, Uint8Array] {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  if (bytes.length > MAX_VALUE) {
    throw new ViciError(
      'VICI_TOO_LARGE',
      `the value of "${name}" has ${bytes.length} bytes; VICI takes ${MAX_VALUE}`,
    );
  }
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return [length, bytes];
}

type Open = Record<string, string | string[] | Section>;

/** @throws ViciError `VICI_MALFORMED` */
export function decodeMessage(bytes: Buffer): Section {
  const reader = new ElementReader(bytes);
  const root: Open = Object.create(null);
  const stack: Open[] = [root];
  let list: string[] | undefined;
  for (let type = reader.type(); type !== undefined; type = reader.type()) {
    const section = stack.at(-1);
    if (section === undefined) throw malformed('ends a section that was not begun');
    const inList = type === ELEMENT.LIST_ITEM || type === ELEMENT.LIST_END;
    if (inList !== (list !== undefined)) throw malformed('mixes a list with what is not in it');
    switch (type) {
      case ELEMENT.SECTION_START: {
        const inner: Open = Object.create(null);
        section[reader.name()] = inner;
        stack.push(inner);
        break;
      }
      case ELEMENT.SECTION_END:
        stack.pop();
        break;
      case ELEMENT.KEY_VALUE:
        section[reader.name()] = reader.value();
        break;
      case ELEMENT.LIST_START:
        list = [];
        section[reader.name()] = list;
        break;
      case ELEMENT.LIST_ITEM:
        list?.push(reader.value());
        break;
      case ELEMENT.LIST_END:
        list = undefined;
        break;
      default:
        throw malformed(`has an element of unknown type ${type}`);
    }
  }
  if (list !== undefined || stack.length !== 1) throw malformed('ends within a section or list');
  return root;
}

class ElementReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** undefined at the end. */
  type(): number | undefined {
    return this.#bytes[this.#at++];
  }

  name(): string {
    return this.#text(this.#take(1).readUInt8());
  }

  value(): string {
    return this.#text(this.#take(2).readUInt16BE());
  }

  #text(length: number): string {
    return this.#take(length).toString();
  }

  #take(length: number): Buffer {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw malformed('ends within an element');
    return this.#bytes.subarray(from, this.#at);
  }
}

function malformed(what: string): ViciError {
  return new ViciError('VICI_MALFORMED', `a VICI message ${what}; is it charon that listens there?`);
}

/** A value of a section that is text; undefined when it is missing, or something else. */
export function textAt(section: Section, name: string): string | undefined {
  const value = section[name];
  return typeof value === 'string' ? value : undefined;
}

export function numberAt(section: Section, name: string, base = 10): number | undefined {
  const text = textAt(section, name);
  const value = text === undefined ? Number.NaN : Number.parseInt(text, base);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Empty when it is missing, or something else. */
export function listAt(section: Section, name: string): readonly string[] {
  const value = section[name];
  return isItems(value) ? value : [];
}

/** The sections within a section, by name. */
export function sectionsOf(section: Section | undefined): [string, Section][] {
  if (section === undefined) return [];
  return Object.entries(section).flatMap(([name, value]): [string, Section][] =>
    typeof value === 'string' || isItems(value) ? [] : [[name, value]],
  );
}

export function sectionAt(section: Section, name: string): Section | undefined {
  const value = section[name];
  return value === undefined || typeof value === 'string' || isItems(value) ? undefined : value;
}

const isItems = (value: Section[string] | undefined): value is readonly string[] => Array.isArray(value);
