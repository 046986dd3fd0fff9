/**
 * Loaded before the program (`NODE_OPTIONS=--import=...`): the agents of some nodes write their Node as another version would. What they
 * read of it is turned back, for that version would know its own words.
 *
 *   SHEATH_OTHER_VERSIONS  `n3=newer,n4=older`
 */
import { ANNOTATIONS } from '../../../mesh/annotations.ts';

type Json = Readonly<Record<string, unknown>>;
type Annotations = Readonly<Record<string, string>>;

interface NodeLike {
  readonly metadata: { readonly name: string; readonly annotations: Annotations };
}

const { parse, stringify } = JSON;

const VERSIONS: Readonly<Record<string, (annotations: Annotations) => Annotations>> = {
  newer: (annotations) => ({
    ...annotations,
    ...change(annotations, ANNOTATIONS.agent, (agent: Json) => ({
      ...agent,
      version: '0.2.0',
      offers: ['masque'],
      limits: { peers: 5000 },
    })),
    ...change(annotations, ANNOTATIONS.generations, (generations: readonly Json[]) => [
      ...generations.map((one) => ({ ...one, postQuantum: { kem: 'ml-kem-768' }, weight: 10 })),
      { generation: 9, driver: 'masque', certificate: 'MIIB', port: 443 },
    ]),
    'sheath.dev/tomorrow': '{"relay":true}',
  }),
  older: (annotations) => ({
    ...annotations,
    ...change(annotations, ANNOTATIONS.agent, () => ({ version: '0.0.9' })),
  }),
};

function change<T>(annotations: Annotations, name: string, to: (value: T) => unknown): Annotations {
  const text = annotations[name];
  return text === undefined ? {} : { [name]: stringify(to(parse(text) as T)) };
}

function isNode(value: unknown, name: string): value is NodeLike {
  const { metadata } = (value ?? {}) as { metadata?: { name?: unknown; annotations?: unknown } };
  return metadata?.name === name && typeof metadata.annotations === 'object' && metadata.annotations !== null;
}

function pretend(name: string, translate: (annotations: Annotations) => Annotations): void {
  /** By what was written: what was meant. */
  const meant = new Map<string, string>();
  const withAnnotations = (node: NodeLike, annotations: Annotations): NodeLike => ({
    ...node,
    metadata: { ...node.metadata, annotations },
  });
  const written = (node: NodeLike): NodeLike => {
    const { annotations } = node.metadata;
    if (annotations[ANNOTATIONS.agent] === undefined) return node;
    const translated = translate(annotations);
    for (const [key, text] of Object.entries(annotations)) meant.set(`${key} ${translated[key]}`, text);
    return withAnnotations(node, translated);
  };
  const read = (_key: string, value: unknown): unknown => {
    if (!isNode(value, name)) return value;
    const pairs = Object.entries(value.metadata.annotations);
    // What another version said of itself is to be said anew.
    const back = pairs.flatMap(([key, text]) => {
      const own = meant.get(`${key} ${text}`);
      return own === undefined && key === ANNOTATIONS.agent ? [] : [[key, own ?? text]];
    });
    return withAnnotations(value, Object.fromEntries(back));
  };
  JSON.stringify = ((value: unknown, ...rest: []) =>
    stringify(isNode(value, name) ? written(value) : value, ...rest)) as typeof JSON.stringify;
  JSON.parse = (text) => parse(text, read);
}

const name = process.argv[process.argv.indexOf('--node-name') + 1];
const wanted = (process.env.SHEATH_OTHER_VERSIONS ?? '').split(',').map((pair) => pair.split('='));
const version = wanted.find(([node]) => node === name)?.[1];
const translate = VERSIONS[version ?? ''];
if (name !== undefined && translate !== undefined && process.argv.includes('agent')) pretend(name, translate);
