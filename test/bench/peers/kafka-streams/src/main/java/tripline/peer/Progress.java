package tripline.peer;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** How far one round is, over all tasks of the one stream thread. */
final class Progress {
  private final int tasks;
  private final AtomicInteger ready = new AtomicInteger();
  final AtomicLong judged = new AtomicLong();
  /** Findings, withdrawals included, that went to their topic. */
  final AtomicLong found = new AtomicLong();
  /** What early tasks judged while others still opened their stores: not counted, nor is the time that it took. */
  volatile long judgedBefore;
  volatile long begunNs;
  volatile long begunCpuNs;

  Progress(int tasks) {
    this.tasks = tasks;
  }

  void taskIsReady() {
    ready.incrementAndGet();
  }

  void began() {
    if (begunNs != 0 || ready.get() < tasks) return;
    judgedBefore = judged.get();
    begunCpuNs = cpuNs();
    begunNs = System.nanoTime();
  }

  /** CPU time that this process has used. */
  static long cpuNs() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }
}
