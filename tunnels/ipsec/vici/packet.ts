/** VICI packets: a type in 8 bits, a name where the type has one, and a message where it has one. */
import { ViciError } from './errors.ts';
import { decodeMessage, encodeMessage, type Message, named, type Section } from './message.ts';

const TYPE = {
  CMD_REQUEST: 0,
  CMD_RESPONSE: 1,
  CMD_UNKNOWN: 2,
  EVENT_REGISTER: 3,
  EVENT_UNREGISTER: 4,
  EVENT_CONFIRM: 5,
  EVENT_UNKNOWN: 6,
  EVENT: 7,
} as const;

/** Of an empty segment. */
const UNKNOWN = -1;

/** What a client sends. */
export type Request =
  | { readonly type: 'request'; readonly name: string; readonly message: Message }
  | { readonly type: 'register' | 'unregister'; readonly name: string };

/** What charon sends. */
export type Packet =
  | { readonly type: 'response'; readonly message: Section }
  | { readonly type: 'event'; readonly name: string; readonly message: Section }
  /** The command, or the event, is not known there. */
  | { readonly type: 'commandUnknown' | 'eventUnknown' }
  | { readonly type: 'confirm' };

export function encodePacket(packet: Request): Buffer {
  switch (packet.type) {
    case 'request':
      return Buffer.concat([named(TYPE.CMD_REQUEST, packet.name), encodeMessage(packet.message)]);
    case 'register':
      return named(TYPE.EVENT_REGISTER, packet.name);
    case 'unregister':
      return named(TYPE.EVENT_UNREGISTER, packet.name);
  }
}

/** @throws ViciError `VICI_MALFORMED` */
export function decodePacket(segment: Buffer): Packet {
  const [type = UNKNOWN, nameLength] = segment;
  switch (type) {
    case TYPE.CMD_RESPONSE:
      return { type: 'response', message: decodeMessage(segment.subarray(1)) };
    case TYPE.CMD_UNKNOWN:
      return { type: 'commandUnknown' };
    case TYPE.EVENT_CONFIRM:
      return { type: 'confirm' };
    case TYPE.EVENT_UNKNOWN:
      return { type: 'eventUnknown' };
    case TYPE.EVENT: {
      const end = 2 + (nameLength ?? 0);
      if (nameLength === undefined || end > segment.length) break;
      const name = segment.toString('utf8', 2, end);
      return { type: 'event', name, message: decodeMessage(segment.subarray(end)) };
    }
  }
  throw new ViciError(
    'VICI_MALFORMED',
    `a VICI packet of ${segment.length} bytes and type ${type} is none that charon sends; is it charon that listens there?`,
  );
}
