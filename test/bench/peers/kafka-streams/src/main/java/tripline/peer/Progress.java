package tripline.peer;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicLong;

/** How far one round is, over all tasks of the one stream thread. */
final class Progress {
  final AtomicLong judged = new AtomicLong();
  /** Findings, withdrawals included, that went to their topic. */
  final AtomicLong found = new AtomicLong();
  volatile long begunNs;
  volatile long begunCpuNs;

  void began() {
    if (begunNs != 0) return;
    begunCpuNs = cpuNs();
    begunNs = System.nanoTime();
  }

  /** CPU time that this process has used. */
  static long cpuNs() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }
}
