/** `status` of the resource (`MeshStatus`), for the CRD. Only the controller writes it; lenient, so that a newer one may say more. */
import * as z from 'zod';
import type { MeshStatus } from './resource.ts';

const count = (description: string) => z.int().min(0).describe(description);
const time = (description: string) => z.iso.datetime().describe(description);
const driver = (description: string) => z.enum(['wireguard', 'ipsec']).optional().describe(description);
const waiting = (description: string) =>
  z
    .array(
      z.object({
        node: z.string().describe('The name of the Node'),
        reason: z.string().describe('Why, and what to do'),
      }),
    )
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe(description);

const condition = z.object({
  type: z.string().describe('Ready, Encrypted, Rotating or Degraded'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it is so'),
  reason: z.string().describe('Why, in one word'),
  message: z.string().describe('Why, in a sentence that says what to do'),
  observedGeneration: z.int().optional().describe('metadata.generation that it speaks of'),
  lastTransitionTime: time('When status last changed'),
});

export const statusSchema = z.object({
  observedGeneration: z.int().optional().describe('metadata.generation that the controller has taken in'),
  generation: z.int().optional().describe('The newest generation of keys that every encrypted node sends on'),
  driver: driver('What that generation is made with'),
  nodes: z
    .object({
      total: count('Nodes that take part: those that nodeSelector selects'),
      encrypted: count('Nodes that send nothing in clear to others'),
      summary: z.string().describe('Encrypted nodes of all that take part, 3/3'),
      waiting: waiting('Nodes that are not encrypted yet, and why; the first 20 by name'),
    })
    .optional()
    .describe('How many nodes are encrypted'),
  rotation: z
    .object({
      from: z.int().describe('The generation that is being left; 0 is in clear'),
      to: z.int().describe('The generation that comes'),
      fromDriver: driver('What the generation that is being left is made with'),
      toDriver: driver('What the generation that comes is made with'),
      startedAt: time('When it began'),
      published: count('Nodes that published the new key'),
      switched: count('Nodes that sent their last packet on the old one'),
      withdrawn: count('Nodes that withdrew the old one'),
      total: count('Nodes that take part'),
      waiting: waiting('Who holds it up; the first 20 by name'),
    })
    .optional()
    .describe('The rotation that is under way'),
  lastRotationTime: time('').optional().describe('When the last rotation ended, or encryption was enabled'),
  conditions: z
    .array(condition)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .optional()
    .describe('What holds of the mesh as a whole'),
});

/** Breaks the build when the type says what the schema does not take. */
type Taken<T extends z.input<typeof statusSchema>> = T;
export type CheckedStatus = Taken<Mutable<MeshStatus>>;
type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
