// The hold model of queue.mjs with std::priority_queue: queue PENDING HOLDS.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <queue>
#include <vector>

struct Event {
  double time;
  uint64_t order;
  int32_t kind, target;
  bool operator<(const Event &other) const {
    return time != other.time ? time > other.time : order > other.order;
  }
};

int main(int, char **argv) {
  const int pending = atoi(argv[1]), holds = atoi(argv[2]);
  std::priority_queue<Event> queue;
  uint32_t random = 1, sum = 0;
  uint64_t order = 0;
  for (int id = 0; id < pending; id++) {
    random = random * 1664525u + 1013904223u;
    queue.push({double(random >> 12), order++, 0, id});
  }
  timespec from, to;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
  for (int i = 0; i < holds; i++) {
    const Event event = queue.top();
    queue.pop();
    sum = sum * 31 + event.target;
    random = random * 1664525u + 1013904223u;
    queue.push({event.time + (random >> 12), order++, 0, event.target});
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
  const double cpu = (to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) * 1e-9;
  printf("{\"cpu\": %.6f, \"sum\": %d}\n", cpu, int32_t(sum));
}
