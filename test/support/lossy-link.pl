#!/usr/bin/perl
# Passes IP packets between two TUN devices that it makes, each later by some milliseconds or lost:
# lossy-link.pl DEVICE DEVICE DELAY_MS LOSS. What netem does, where the kernel has no netem. Says "ready" and runs until killed.
use strict;
use warnings;
use Fcntl qw(O_RDWR O_NONBLOCK);
use Time::HiRes qw(time);

my ($first, $second, $delay_ms, $loss) = @ARGV;
my $queue_max = 4000;
my @ends = map { tun($_) } $first, $second;
my @queues = ([], []);
$| = 1;
print "ready\n";

while (1) {
  my $wait = 1;
  for my $queue (@queues) {
    next unless @$queue;
    my $left = $queue->[0][0] - time;
    $wait = $left < 0 ? 0 : $left if $left < $wait;
  }
  my $read = '';
  vec($read, fileno($_), 1) = 1 for @ends;
  select($read, undef, undef, $wait);
  for my $from (0, 1) {
    while (defined(my $length = sysread($ends[$from], my $packet, 65536))) {
      last if $length == 0;
      next if rand() < $loss || @{$queues[$from]} >= $queue_max;
      push @{$queues[$from]}, [time + $delay_ms / 1000, $packet];
    }
    my $now = time;
    while (@{$queues[$from]} && $queues[$from][0][0] <= $now) {
      my $due = shift @{$queues[$from]};
      syswrite($ends[1 - $from], $due->[1]);
    }
  }
}

sub tun {
  my ($name) = @_;
  sysopen(my $device, '/dev/net/tun', O_RDWR | O_NONBLOCK) or die "/dev/net/tun: $!\n";
  # TUNSETIFF with IFF_TUN | IFF_NO_PI.
  my $request = pack('a16 s x22', $name, 0x1001);
  ioctl($device, 0x400454ca, $request) or die "$name: $!\n";
  return $device;
}
