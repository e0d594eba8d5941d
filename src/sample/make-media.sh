#!/bin/sh
# Remakes src/sample/media from nothing: needs ffmpeg with libx264 and drawtext, and the project's Node.
# Usage: FONT=/path/to/bold.ttf src/sample/make-media.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
media="$here/media"
font=${FONT:-/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

seconds=24
rate=25
gop=50
exact='-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -map_metadata -1'
ff() { ffmpeg -hide_banner -loglevel error -nostdin -y "$@"; }

# The picture: an eddy that turns once in the whole length, so that the live channel's loop does not show; the time,
# the segment it belongs to, and a dot that blinks with the beep.
spiral="gradients=s=736x736:r=$rate:d=$seconds:n=5:type=spiral:speed=0.00001:seed=1:x0=368:y0=368:x1=736:y1=736"
spiral="$spiral:c0=0x070b16:c1=0x0e7490:c2=0x1e1b4b:c3=0x22d3ee:c4=0x070b16"
turn="rotate=a=-2*PI*t/$seconds:ow=640:oh=360:bilinear=1"
text="drawtext=fontfile=$font:fontcolor=white:shadowcolor=black@0.6:shadowx=2:shadowy=2"
picture="$text:fontsize=72:x=(w-text_w)/2:y=118:text='%{pts\\:hms}'"
picture="$picture,$text:fontsize=30:x=(w-text_w)/2:y=216:text='segment %{eif\\:floor(n/$gop)\\:d\\:2}'"
picture="$picture,$text:fontsize=20:x=24:y=20:text='eddy'"
label() { printf "%s:fontsize=%s:x=w-text_w-%s:y=%s:text='%s'" "$text" "$2" "$3" "$4" "$1"; }
beep="drawbox=x=24:y=ih-40:w=16:h=16:color=0x67e8f9:t=fill:enable='lt(mod(n,$rate),3)'"

# The sound: a quiet low tone, and a beep at each second.
tone="aevalsrc='0.03*sin(2*PI*110*t)+0.2*lt(mod(t,1),0.12)*sin(2*PI*880*t)':s=48000:d=$seconds"

x264="-c:v libx264 -preset veryslow -pix_fmt yuv420p -bf 0 -g $gop -keyint_min $gop -sc_threshold 0 -threads 1"
# shellcheck disable=SC2086
ff -f lavfi -i "$spiral" -f lavfi -i "$tone" -filter_complex "
  [0:v]$turn,$picture,$beep,format=yuv420p,split[a][b];
  [a]$(label '640 x 360' 20 24 20)[high];
  [b]scale=320:180:flags=lanczos,$(label '320 x 180' 12 12 10)[low]" \
  -map '[high]' $exact $x264 -profile:v main -level 3.0 -b:v 420k -maxrate 520k -bufsize 700k "$work/high.mp4" \
  -map '[low]' $exact $x264 -profile:v baseline -level 1.3 -b:v 120k -maxrate 150k -bufsize 220k "$work/low.mp4" \
  -map 1:a $exact -c:a aac -b:a 56k -ac 1 "$work/audio.mp4"

rm -rf "$media"
mkdir -p "$media/hls-ts/high" "$media/hls-ts/low" "$work/cmaf"

# MPEG-TS for HLS, sound and picture in one.
for name in high low; do
  # shellcheck disable=SC2086
  ff -i "$work/$name.mp4" -i "$work/audio.mp4" -map 0:v -map 1:a -c copy $exact \
    -f hls -hls_time 2 -hls_playlist_type vod -hls_flags independent_segments \
    -hls_segment_filename "$media/hls-ts/$name/%02d.ts" "$media/hls-ts/$name/index.m3u8"
done

# CMAF tracks with one segment index (sidx) up front; the other forms are cut from these.
for name in high low audio; do
  # shellcheck disable=SC2086
  ff -i "$work/$name.mp4" -map 0 -c copy $exact -avoid_negative_ts make_zero \
    -f mp4 -movflags cmaf+global_sidx+skip_trailer -frag_duration 2000000 "$work/cmaf/$name.mp4"
done

node "$here/package-media.ts" "$work/cmaf" "$media"
du -sh "$media"
