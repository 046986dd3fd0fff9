/** The annotations on a Node, and how much of each is read: whoever may write a Node could send megabytes. */

export const ANNOTATIONS = {
  generations: 'sheath.dev/generations',
  endpoints: 'sheath.dev/endpoints',
  prefixes: 'sheath.dev/prefixes',
  sending: 'sheath.dev/sending',
  agent: 'sheath.dev/agent',
} as const;

export type AnnotationName = (typeof ANNOTATIONS)[keyof typeof ANNOTATIONS];

/**
 * `size` in characters, looked at before anything is parsed; `items` after. A node of a mesh has two generations, an address or
 * two, and a handful of prefixes (some dozens where each pod has one of its own): the limits leave an order of magnitude.
 */
export const LIMITS = {
  'sheath.dev/generations': { size: 4096, items: 8 },
  'sheath.dev/endpoints': { size: 2048, items: 16 },
  'sheath.dev/prefixes': { size: 65_536, items: 1024 },
  'sheath.dev/sending': { size: 256, items: 16 },
  'sheath.dev/agent': { size: 4096, items: 16 },
} as const satisfies Record<AnnotationName, { readonly size: number; readonly items: number }>;

/** Generation numbers: a positive int32, as the API server's integers for `spec.generation` are. */
export const MAX_GENERATION = 2 ** 31 - 1;

/** Shorter prefixes than these cover more than any cluster owns, `0.0.0.0/0` first of all. */
export const SHORTEST_PREFIX = { 4: 8, 6: 16 } as const;
