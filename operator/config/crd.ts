/** The CustomResourceDefinition of `EncryptionMesh`, made of the schema that the agent parses with. */
import { DEFAULTS } from './defaults.ts';
import { getAt } from './paths.ts';
import { GROUP, PLURAL, RESOURCE_NAME, VERSION } from './resource.ts';
import type { Rule } from './rules.ts';
import { specSchema } from './schema.ts';
import { statusSchema } from './status-schema.ts';
import { type StructuralSchema, structural } from './structural.ts';
import { togetherRules } from './together.ts';

/** apiextensions.k8s.io/v1, as far as we use it. */
export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly scope: 'Cluster';
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
    };
    readonly versions: readonly CustomResourceVersion[];
  };
}

export interface CustomResourceVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly subresources: { readonly status: Readonly<Record<string, never>> };
  readonly additionalPrinterColumns: readonly PrinterColumn[];
  readonly schema: { readonly openAPIV3Schema: StructuralSchema };
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  /** 1: with `-o wide` only. */
  readonly priority?: number;
}

const COLUMNS: readonly PrinterColumn[] = [
  { name: 'Encryption', type: 'string', jsonPath: '.spec.encryption', description: 'What is wished' },
  { name: 'Mode', type: 'string', jsonPath: '.spec.mode', description: 'What happens to other traffic' },
  { name: 'Generation', type: 'integer', jsonPath: '.spec.generation', description: 'Of the keys' },
  {
    name: 'Nodes',
    type: 'string',
    jsonPath: '.status.nodes.summary',
    description: 'How many are encrypted, of how many that take part',
  },
  {
    name: 'Driver',
    type: 'string',
    jsonPath: '.status.driver',
    description: 'What the generation in force is made with',
  },
  {
    name: 'Ready',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: 'Whether the mesh is as it is wished',
    priority: 1,
  },
  {
    name: 'Age',
    type: 'date',
    jsonPath: '.metadata.creationTimestamp',
    description: 'Since when it is there',
  },
];

/** Lowered or taken away, it would read like a wish to go back to keys that are gone. */
const NEVER_LOWERED: Rule = {
  rule: '!has(oldSelf.generation) || (has(self.generation) && self.generation >= oldSelf.generation)',
  message: 'generation is raised to rotate the keys, and never lowered or removed',
  fieldPath: '.generation',
};

/** The driver of a generation is for ever: peers that hold it would have nothing in common otherwise. */
const OTHER_DRIVER: Rule = {
  rule: [
    '!has(oldSelf.encryption) || !has(self.encryption) || oldSelf.encryption == self.encryption',
    "oldSelf.encryption == 'none' || self.encryption == 'none'",
    'has(self.generation) && self.generation > (has(oldSelf.generation) ? oldSelf.generation : 1)',
  ].join(' || '),
  message:
    'encryption changes between wireguard and ipsec together with a higher generation only: sheath enable --encryption writes both',
  fieldPath: '.encryption',
};

const ONE_NAME: Rule = {
  rule: `self.metadata.name == '${RESOURCE_NAME}'`,
  message: `metadata.name must be ${RESOURCE_NAME}: there is one mesh in a cluster`,
};

export function encryptionMeshCRD(): CustomResourceDefinition {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Cluster',
      names: {
        kind: 'EncryptionMesh',
        listKind: 'EncryptionMeshList',
        plural: PLURAL,
        singular: 'encryptionmesh',
        shortNames: ['mesh', 'em'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS,
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  };
}

function rootSchema(): StructuralSchema {
  const spec = structural(specSchema, { describe: withDefault });
  return {
    type: 'object',
    description:
      'EncryptionMesh is the encryption of all traffic between the nodes of this cluster. There is one, and its name is default.',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the schema of this object' },
      kind: { type: 'string', description: 'EncryptionMesh' },
      metadata: { type: 'object' },
      spec: {
        ...spec,
        description: 'What is wished. What is not set here is as its description says.',
        'x-kubernetes-validations': [NEVER_LOWERED, OTHER_DRIVER, ...togetherRules()],
      },
      status: {
        ...structural(statusSchema),
        description: 'How it stands; written by the controller.',
      },
    },
    'x-kubernetes-validations': [ONE_NAME],
  };
}

/** `kubectl explain` shows what holds where nothing is set, for the schema itself sets nothing. */
function withDefault(path: string, description: string): string {
  const value = getAt(DEFAULTS, path.split('.'));
  const isLeaf = value !== undefined && (typeof value !== 'object' || Array.isArray(value));
  const sentence = `${description}.`;
  return isLeaf ? `${sentence} Default: ${shown(value)}.` : sentence;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ');
  return String(value);
}
