import { type Histogram, type MeterProvider, metrics } from '@opentelemetry/api';
import { checkMembers, type DataStore } from '@sched/core';
import { attribute, errorType, scope, secondsBuckets } from './names.js';

export interface StoreMetricsOptions {
  /** Default: the global one. */
  readonly meterProvider?: MeterProvider;
}

/**
 * A data store that records how long each of its calls takes, and with what error it failed if it did.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID` when an option is not known
 */
export function instrumentStore(store: DataStore, options: StoreMetricsOptions = {}): DataStore {
  checkMembers('The options of instrumentStore', options, ['meterProvider']);
  const { meterProvider = metrics.getMeterProvider() } = options;
  const duration = meterProvider.getMeter(scope).createHistogram('sched.store.duration', {
    description: 'How long calls to a data store took',
    unit: 's',
    advice: { explicitBucketBoundaries: secondsBuckets },
  });
  return measured(store, duration);
}

function measured(store: DataStore, duration: Histogram): DataStore {
  return new Proxy(store, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const begun = performance.now();
        const answer: unknown = Reflect.apply(value, target, args);
        if (!(answer instanceof Promise)) {
          return member === 'withTransaction' ? measured(answer as DataStore, duration) : answer;
        }
        const record = (error?: { readonly thrown: unknown }) => {
          duration.record((performance.now() - begun) / 1000, {
            [attribute.store]: target.name,
            [attribute.call]: String(member),
            ...(error && { [attribute.errorType]: errorType(error.thrown) }),
          });
        };
        answer.then(
          () => record(),
          (thrown: unknown) => record({ thrown }),
        );
        return answer;
      };
    },
  });
}
