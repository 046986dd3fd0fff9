/** Every kind of bad record, for two suites: agents with fake kernels, and real ones on a real kernel and API server. */
import { networkOf } from '../../mesh/prefix.ts';
import type { ProblemCode } from '../../mesh/types.ts';
import { badAnnotations, maker, type Publisher } from '../mesh/bad-annotations.ts';
import { signingKey } from '../mesh/fixtures.ts';

/** A Node with a good record. */
export interface Honest extends Publisher {
  readonly name: string;
  readonly prefix6: string;
}

/** Who a bad record is about. */
export interface Scene {
  /** The node whose agent judges it. */
  readonly self: Honest;
  /** Whoever publishes it, when it was good. */
  readonly own: Honest;
  /** Others, whose Nodes were made before and after that of `own`. */
  readonly older: Honest;
  readonly younger: Honest;
  /** Around the prefixes of many others, and not of `self`. */
  readonly around: string;
}

export type Annotations = Readonly<Record<string, string>>;

export interface BadRecord {
  /** Of letters, digits and dashes: it can be part of a Node's name. */
  readonly name: string;
  /** Under which `self` speaks of it, besides that it is not there; each at least once, and no others. */
  readonly codes: readonly ProblemCode[];
  readonly annotations: Annotations;
}

/** Consequences of what is refused. */
const ABSENCES: readonly ProblemCode[] = ['NO_COMMON_GENERATION', 'ENDPOINT_MISSING'];

/** Of the codes under which a status speaks of a Node those that `BadRecord.codes` lists, sorted. */
export function toldCodes(codes: readonly ProblemCode[]): readonly ProblemCode[] {
  const told = [...new Set(codes)].filter((code) => !ABSENCES.includes(code));
  return told.length === 0 ? [...new Set(codes)].sort() : told.sort();
}

const G = 'sheath.dev/generations';
const E = 'sheath.dev/endpoints';
const P = 'sheath.dev/prefixes';

export function goodRecord(honest: Honest): Annotations {
  const { generation, address, prefix, prefix6 } = honest;
  return {
    [G]: generations(honest),
    [E]: address,
    [P]: `${prefix},${prefix6}`,
    'sheath.dev/sending': String(generation),
    'sheath.dev/agent': '{"version":"9.9.9"}',
  };
}

function generations(of: Publisher, fields: object = {}): string {
  return JSON.stringify([maker(of)(fields)]);
}

/** What differs from the good record of `scene.own`, of each kind. */
export function badRecords(scene: Scene): readonly BadRecord[] {
  const alone = badAnnotations(scene.own)
    .filter(({ codes }) => codes.length > 0)
    .map(({ name, annotation, value, codes }): Row => [name, codes, { [annotation]: value }]);
  const all = [
    ...claimedKeys(scene),
    ...claimedPrefixes(scene),
    ...claimedAddresses(scene),
    ...whole(scene),
    ...alone,
  ];
  return all.map(([name, codes, annotations]) => ({
    name: name.toLowerCase().replace(/[^a-z0-9]+/g, '-'),
    codes: [...new Set(codes)].sort(),
    annotations,
  }));
}

type Row = readonly [name: string, codes: readonly ProblemCode[], annotations: Annotations];

function claimedKeys({ self, own, older, younger }: Scene): readonly Row[] {
  const of = ({ publicKey }: Honest): Annotations => ({ [G]: generations(own, { publicKey }) });
  return [
    ['key of an older Node', ['KEY_CLAIMED'], of(older)],
    ['key of a younger Node', ['KEY_CLAIMED'], of(younger)],
    ['own key', ['KEY_OWN'], of(self)],
  ];
}

function claimedPrefixes({ self, own, older, younger, around }: Scene): readonly Row[] {
  const and = (prefix: string): Annotations => ({ [P]: `${own.prefix},${prefix}` });
  const part = ({ prefix }: Honest, length: number): string => resized(prefix, length);
  const claimed: readonly ProblemCode[] = ['PREFIX_CLAIMED'];
  return [
    ['prefix of an older Node', claimed, and(older.prefix)],
    ['prefix of a younger Node', claimed, and(younger.prefix)],
    ['prefix inside an older one', claimed, and(part(older, 25))],
    ['prefix inside a younger one', claimed, and(part(younger, 28))],
    ['pod of another', claimed, and(resized(older.prefix6, 128))],
    ['prefix around another', claimed, and(part(older, 23))],
    ['prefix around many', claimed, and(around)],
    ['prefix around all', ['PREFIX_OWN'], and('10.0.0.0/8')],
    ['node address as prefix', claimed, and(`${older.address}/32`)],
    ['its address as prefix', ['PREFIX_INVALID'], and(`${own.address}/32`)],
    ['own prefix', ['PREFIX_OWN'], and(self.prefix)],
    ['own IPv6 prefix', ['PREFIX_OWN'], and(self.prefix6)],
    ['part of the own prefix', ['PREFIX_OWN'], and(part(self, 26))],
    ['own address as prefix', ['PREFIX_OWN'], and(`${self.address}/32`)],
  ];
}

function resized(prefix: string, length: number): string {
  return networkOf(prefix.replace(/\/.*/, `/${length}`)) ?? prefix;
}

function claimedAddresses({ self, own, older, younger }: Scene): readonly Row[] {
  const also = (address: string): Annotations => ({ [E]: `${own.address},${address}` });
  const claimed: readonly ProblemCode[] = ['ENDPOINT_CLAIMED'];
  return [
    ['address of an older Node', claimed, { [E]: older.address }],
    ['address of a younger Node', claimed, also(younger.address)],
    ['address in the pods of another', claimed, also(podOf(older))],
    ['own address', ['ENDPOINT_OWN'], { [E]: self.address }],
    ['own address beside its own', ['ENDPOINT_OWN'], also(self.address)],
    ['address in the own pods', ['ENDPOINT_OWN'], also(podOf(self))],
  ];
}

function podOf({ prefix }: Honest): string {
  return prefix.replace(/0\/24$/, '7');
}

function whole({ own, older }: Scene): readonly Row[] {
  return [
    [
      'everything of another',
      ['KEY_CLAIMED', 'PREFIX_CLAIMED', 'ENDPOINT_CLAIMED'],
      { [G]: generations(older), [E]: older.address, [P]: older.prefix },
    ],
    [
      'nothing readable',
      ['RECORD_MALFORMED', 'ENDPOINT_INVALID', 'PREFIX_INVALID'],
      { [G]: 'not JSON', [E]: 'nowhere', [P]: '10.1/8' },
    ],
    ['nothing', ['RECORD_MALFORMED'], { [G]: '', [E]: '', [P]: '' }],
    [
      'a generation nobody has',
      ['NO_COMMON_GENERATION'],
      { [G]: generations(own, { generation: own.generation + 2 }) },
    ],
    [
      'another driver',
      ['NO_COMMON_GENERATION'],
      {
        [G]: generations(
          own.driver === 'ipsec'
            ? { ...own, driver: 'wireguard' }
            : { ...own, driver: 'ipsec', publicKey: signingKey(own.publicKey) },
        ),
      },
    ],
  ];
}
