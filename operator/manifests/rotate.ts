import type { V1CronJob } from '@kubernetes/client-node';
import { CONTAINER_SECURITY, POD_SECURITY } from './controller.ts';
import { labelsOf, ROTATE } from './names.ts';
import type { ManifestOptions } from './options.ts';

/** Rotates the keys on a schedule: one that is still under way is waited for, one that was missed is not made up for. */
export function cronJob({ namespace, image }: ManifestOptions, schedule: string): V1CronJob {
  const labels = labelsOf('rotate');
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: ROTATE, namespace, labels },
    spec: {
      schedule,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 1,
      jobTemplate: {
        spec: {
          // Asked twice, it would be two rotations.
          backoffLimit: 0,
          template: {
            metadata: { labels },
            spec: {
              restartPolicy: 'Never',
              serviceAccountName: ROTATE,
              nodeSelector: { 'kubernetes.io/os': 'linux' },
              securityContext: POD_SECURITY,
              containers: [
                {
                  name: 'rotate',
                  image,
                  imagePullPolicy: 'IfNotPresent',
                  args: ['rotate', '--yes'],
                  resources: { requests: { cpu: '10m', memory: '96Mi' }, limits: { memory: '256Mi' } },
                  securityContext: CONTAINER_SECURITY,
                },
              ],
            },
          },
        },
      },
    },
  };
}
